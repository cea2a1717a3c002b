/**
 * What instructions become, by their words: the same ones come again and again, in regions that overlap and in others. To
 * emit one takes many times as long as to put it where it stands.
 */
import type { EmitProbe } from '../emitter.js';
import { rows } from '../isa/index.js';
import type { Row } from '../row.js';
import { InstructionEmitter, type Template } from './instruction-emitter.js';
import type { Legal } from './blocks.js';

/** When there are so many, all are forgotten: they take some hundred bytes each. */
const MOST = 10_000;

const rowIndex: ReadonlyMap<Row, number> = new Map(rows.map((row, index) => [row, index]));

export class Templates {
  private readonly byWord = new Map<number, Template>();
  private readonly emitter: InstructionEmitter;

  /** `counts` tells whether the code counts accesses and idioms. */
  constructor(readonly counts = false) {
    this.emitter = new InstructionEmitter(counts);
  }

  /** An instruction, and before it what a probe does that was set there. */
  of(instruction: Legal, probe?: EmitProbe): Template {
    if (probe) return this.emit(instruction, probe);
    const known = this.byWord.get(instruction.word);
    if (known) return known;
    if (this.byWord.size >= MOST) this.byWord.clear();
    const template = this.emit(instruction);
    this.byWord.set(instruction.word, template);
    return template;
  }

  private emit({ word, row }: Legal, probe?: EmitProbe): Template {
    const reference = { index: rowIndex.get(row)!, hasRd: row.fields.has('rd') };
    return this.emitter.emit(word, reference, (t) => {
      probe?.(this.emitter);
      if (row.emit) row.emit(t, word);
      else t.interpret();
    });
  }
}
