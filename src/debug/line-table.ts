/**
 * Source files and lines of addresses, from a kernel's `.debug_line` (DWARF 5, section 6.2, "Line Number Information";
 * versions 2 to 5). What cannot be read is left out: a program without line tables has no lines.
 */
import type { ElfSection } from '../machine/elf-sections.js';
import { ByteReader } from './byte-reader.js';

export interface SourceLine {
  /** As the compiler was given it: absolute, or relative to where it ran. */
  readonly file: string;
  readonly line: number;
}

interface Row {
  readonly address: number;
  readonly file: string;
  readonly line: number;
  /** True for the address after the last instruction of a sequence. */
  readonly end: boolean;
}

/** Forms of the file table's columns in version 5 (section 7.5.6), and what a column means (section 7.22). */
const FORM = {
  data16: 0x1e,
  udata: 0x0f,
  data1: 0x0b,
  data2: 0x05,
  block: 0x09,
  string: 0x08,
  lineStrp: 0x1f,
  strp: 0x0e,
};
const CONTENT = { path: 1, directory: 2 } as const;

/** Opcodes of the line-number program (sections 6.2.5.2 and 6.2.5.3); the others change nothing that is kept. */
const OP = {
  extended: 0,
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const EXTENDED = { endSequence: 1, setAddress: 2 } as const;

export class LineTable {
  private readonly rows: Row[] = [];

  constructor(sections: readonly ElfSection[]) {
    const data = sections.find((section) => section.name === '.debug_line')?.data;
    if (data === undefined) return;
    const strings = (name: string) =>
      sections.find((section) => section.name === name)?.data ?? new Uint8Array();
    const units = new ByteReader(data);
    while (units.left >= 4) {
      const bytes = units.u32();
      // 64-bit DWARF, which no 32-bit length begins with, is for files of more than 4 GiB.
      if (bytes >= 0xffff_fff0 || bytes > units.left) break;
      const unit = units.slice(bytes);
      try {
        this.readUnit(unit, strings('.debug_line_str'), strings('.debug_str'));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error; // a damaged unit ends before it should
      }
    }
    this.rows.sort((a, b) => a.address - b.address || Number(b.end) - Number(a.end));
  }

  /** The line of the instruction at an address, or of the one that it lies in. */
  at(address: number): SourceLine | undefined {
    const row = this.rows[this.indexAt(address)];
    return row === undefined || row.end || row.line === 0 ? undefined : { file: row.file, line: row.line };
  }

  /** Whether the code of another line begins at an address. */
  isStart(address: number): boolean {
    const index = this.indexAt(address);
    const row = this.rows[index];
    if (row === undefined || row.end || row.line === 0 || row.address !== address) return false;
    // Of rows for one address the last one counts; those before it have no code.
    let before = index - 1;
    while (this.rows[before]?.address === address) before--;
    const last = this.rows[before];
    return last === undefined || last.end || last.line !== row.line || last.file !== row.file;
  }

  /** The files that code comes from. */
  get files(): string[] {
    return [...new Set(this.rows.map(({ file }) => file))];
  }

  /** Where the code of a file's line begins, each time that it does; of the next line that has code, if it has none. */
  startsOf(file: string, line: number): { line: number; addresses: number[] } | undefined {
    const rows = this.rows.filter((row) => row.file === file && row.line >= line && !row.end);
    const first = Math.min(...rows.map((row) => row.line));
    const addresses = rows.filter((row) => row.line === first).map(({ address }) => address);
    const starts = [...new Set(addresses)].filter((address) => this.isStart(address));
    return starts.length === 0 ? undefined : { line: first, addresses: starts };
  }

  /** The index of the last row for the last address up to this one; -1 before them all. */
  private indexAt(address: number): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private readUnit(unit: ByteReader, lineStrings: Uint8Array, strings: Uint8Array): void {
    const version = unit.u16();
    if (version < 2 || version > 5) return;
    if (version === 5) unit.skip(2); // sizes of an address and of a segment selector
    const headerBytes = unit.u32();
    const program = unit.position + headerBytes;
    const minimumInstruction = unit.u8();
    if (version >= 4) unit.skip(1); // operations per instruction, for VLIW machines
    unit.skip(1); // whether lines are statements at first
    const lineBase = unit.i8();
    const lineRange = unit.u8();
    const opcodeBase = unit.u8();
    const operandCounts = Array.from({ length: opcodeBase - 1 }, () => unit.u8());
    const files = version === 5 ? readFiles5(unit, lineStrings, strings) : readFiles(unit);
    unit.position = program;
    this.run(unit, files, { minimumInstruction, lineBase, lineRange, opcodeBase, operandCounts });
  }

  private run(
    code: ByteReader,
    files: readonly string[],
    header: {
      minimumInstruction: number;
      lineBase: number;
      lineRange: number;
      opcodeBase: number;
      operandCounts: readonly number[];
    },
  ): void {
    const { minimumInstruction, lineBase, lineRange, opcodeBase, operandCounts } = header;
    let [address, file, line] = [0, 1, 1];
    const emit = (end: boolean): void => {
      this.rows.push({ address, file: files[file] ?? '', line, end });
    };
    while (code.left > 0) {
      const opcode = code.u8();
      if (opcode >= opcodeBase) {
        const step = opcode - opcodeBase;
        address += Math.floor(step / lineRange) * minimumInstruction;
        line += lineBase + (step % lineRange);
        emit(false);
      } else if (opcode === OP.extended) {
        const length = code.uleb();
        const next = code.position + length;
        const extended = code.u8();
        if (extended === EXTENDED.setAddress) address = length - 1 === 8 ? Number(code.u64()) : code.u32();
        else if (extended === EXTENDED.endSequence) {
          emit(true);
          [address, file, line] = [0, 1, 1];
        }
        code.position = next;
      } else if (opcode === OP.copy) emit(false);
      else if (opcode === OP.advancePc) address += code.uleb() * minimumInstruction;
      else if (opcode === OP.advanceLine) line += code.sleb();
      else if (opcode === OP.setFile) file = code.uleb();
      else if (opcode === OP.constAddPc) {
        address += Math.floor((255 - opcodeBase) / lineRange) * minimumInstruction;
      } else if (opcode === OP.fixedAdvancePc) address += code.u16();
      else for (let count = operandCounts[opcode - 1]; count > 0; count--) code.uleb();
    }
  }
}

/** File names of versions 2 to 4 by their number, which starts at 1; directory 0 is that of the compilation. */
function readFiles(unit: ByteReader): string[] {
  const directories = [''];
  for (let name = unit.string(); name !== ''; name = unit.string()) directories.push(name);
  const files = [''];
  for (let name = unit.string(); name !== ''; name = unit.string()) {
    files.push(join(directories[unit.uleb()], name));
    unit.uleb(); // time of change
    unit.uleb(); // size
  }
  return files;
}

/** File names of version 5 by their number, which starts at 0. */
function readFiles5(unit: ByteReader, lineStrings: Uint8Array, strings: Uint8Array): string[] {
  const table = (): { path: string; directory: number }[] => {
    const columns = Array.from({ length: unit.u8() }, () => [unit.uleb(), unit.uleb()]);
    return Array.from({ length: unit.uleb() }, () => {
      const row = { path: '', directory: 0 };
      for (const [content, form] of columns) {
        const value = readForm(unit, form, lineStrings, strings);
        if (content === CONTENT.path && typeof value === 'string') row.path = value;
        if (content === CONTENT.directory && typeof value === 'number') row.directory = value;
      }
      return row;
    });
  };
  const directories = table();
  return table().map(({ path, directory }) =>
    directory === 0 ? path : join(directories[directory]?.path ?? '', path),
  );
}

function readForm(
  unit: ByteReader,
  form: number,
  lineStrings: Uint8Array,
  strings: Uint8Array,
): string | number | undefined {
  switch (form) {
    case FORM.string:
      return unit.string();
    case FORM.lineStrp:
      return new ByteReader(lineStrings, unit.u32()).string();
    case FORM.strp:
      return new ByteReader(strings, unit.u32()).string();
    case FORM.udata:
      return unit.uleb();
    case FORM.data1:
      return unit.u8();
    case FORM.data2:
      return unit.u16();
    case FORM.data16:
      return void unit.skip(16);
    case FORM.block:
      return void unit.skip(unit.uleb());
    default:
      throw new RangeError(`a file table with the form ${form}`);
  }
}

const join = (directory: string | undefined, name: string): string =>
  name.startsWith('/') || !directory ? name : `${directory}/${name}`;
