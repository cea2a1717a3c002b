/** How a region makes sure, before it goes on in a copy of a function of another page, that it is that function there. */
import { Offset } from '../state.js';
import { FETCH_TAG, FRAME_OFFSET, Local, type Tables, tlbEntry } from './layout.js';
import { addressAt } from './values.js';
import { access, type Code, getLocal, i32Const, Memory, Op, setLocal, teeLocal } from './wasm.js';

/**
 * Takes the branch `leave`, with `target` set to the place at a distance from the page, unless the translated code that
 * begins there is the function of the table with this index.
 */
export function guard({ mapOfFrame, maps }: Tables, distance: number, index: number, leave: Code): Code {
  const page = addressAt(distance & ~0xfff);
  const fetchTlb = [getLocal(Local.hart), access(Memory.i32Load, Offset.fetchTlb)];
  return [
    [addressAt(distance), setLocal(Local.target)],
    [tlbEntry(fetchTlb, page), teeLocal(Local.entry), access(Memory.i64Load, FETCH_TAG)],
    [page, Op.i64.ne, leave],
    [getLocal(Local.entry), access(Memory.i32Load, FRAME_OFFSET), i32Const(2), Op.i32.shl],
    [access(Memory.i32Load, mapOfFrame), access(Memory.i32Load, maps + 2 * (distance & 0xffe))],
    [i32Const(index), Op.i32.ne, leave],
  ];
}
