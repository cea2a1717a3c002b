/** `monitor` commands: what gdb has no word for. */
import type { Hart } from '../../rv64/hart.js';
import type { Debugger, Halt } from '../debugger.js';
import { parseHex } from './hex.js';
import { MOST_WATCHED } from './inspection.js';
import { devices, frames, infoHarts, pageTable, physicalMemory, walkText } from './reports.js';

const MONITOR_HELP = `monitor help                      this
monitor info harts                where each hart is, and its last traps
monitor pagetable                 what the thread's page table maps
monitor walk ADDRESS              how the thread's page table translates an address, level by level
monitor physical ADDRESS [BYTES]  memory by physical address
monitor frames                    what the frames of RAM are filled with
monitor devices                   the address space of the board
monitor last-write ADDRESS [BYTES] go back to before the instruction that stored there last
monitor save NAME                 give this moment of the run a name
monitor load NAME                 go back or forward to it
After last-write and load, "maintenance flush register-cache" has gdb look again.
Numbers are hexadecimal. Addresses are virtual where the thread's page table maps them.`;

const NO_ADDRESS = 'an address is missing, in hexadecimal';
const NO_HISTORY = 'there is no way back without --history';

/** What a command answers; a function where that is known only when the machine, which now runs, has halted. */
export type Answer = string | ((halt: Halt) => string);

/** Does what a line of text says, about a hart where it is about one. */
export function doMonitor(target: Debugger, hart: Hart, line: string): Answer {
  const [name, first = '', second = '8'] = line
    .trim()
    .replace(/^info\s+/, 'info ')
    .split(/(?<!^info)\s+/);
  const { machine } = target;
  const [address, length] = [numberOf(first), Number(numberOf(second) ?? 0)];
  switch (name) {
    case '':
    case 'help':
      return MONITOR_HELP;
    case 'info harts':
      return infoHarts(machine);
    case 'pagetable':
      return pageTable(machine, hart);
    case 'frames':
      return frames(machine);
    case 'devices':
      return devices(machine);
    case 'walk':
      return address === undefined ? NO_ADDRESS : walkText(machine, hart, address);
    case 'physical':
      return address === undefined ? NO_ADDRESS : physicalMemory(machine, address, length);
    case 'last-write':
      return address === undefined ? NO_ADDRESS : goToLastStore(target, hart, address, length);
    case 'save':
      if (first === '') return 'give the moment a name: monitor save NAME';
      return target.nameMoment(first) ? `saved as ${first}` : NO_HISTORY;
    case 'load':
      return target.goToNamed(first) ? arrivalText(target) : `this run has no moment named "${first}"`;
    default:
      return `there is no command "${name}"; "monitor help" lists them`;
  }
}

const numberOf = (digits: string): bigint | undefined => parseHex(digits.replace(/^0x/i, ''));

/** The address is the hart's, or else physical. */
function goToLastStore(target: Debugger, hart: Hart, address: bigint, length: number): Answer {
  if (!target.canGoBack) return NO_HISTORY;
  if (length < 1 || length > MOST_WATCHED) return 'that is no number of bytes to look for';
  const isOnTheWay =
    target.goToLastStore(address, length, hart) || target.goToLastStore(address, length, undefined);
  return isOnTheWay ? arrivalText(target) : 'there is no memory at that address';
}

const arrivalText =
  (target: Debugger) =>
  ({ hart, reason }: Halt): string => {
    const [where] = target.describeHart(hart.index).split('\n');
    const thread = `thread ${hart.index + 1} is ${where}`;
    return reason === 'beginning' ? `nothing was found; at the beginning of the run, ${thread}` : thread;
  };
