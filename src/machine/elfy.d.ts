/** The parts of the npm package elfy 1.0.0 (plain JavaScript) that elf.ts calls. */
declare module 'elfy' {
  interface Header {
    /** `exec`, `dyn`, `rel`, …; undefined for a type that elfy does not know. */
    readonly type: string | undefined;
    readonly phoff: number;
    readonly phentsize: number;
    readonly phnum: number;
  }

  interface Program {
    /** `load`, `note`, …; undefined for a type that elfy does not know. */
    readonly type: string | undefined;
    readonly offset: number;
    readonly paddr: number;
    readonly filesz: number;
    readonly memsz: number;
    readonly flags: { readonly r?: true; readonly w?: true; readonly x?: true };
  }

  const elfy: {
    Parser: new () => {
      /** Throws Error where the class or the byte order is unknown, RangeError where the header is cut off. */
      parseHeader(file: Buffer): Header;
      /** Throws Error where the table lies outside the file. Must follow `parseHeader`, which sets the byte order. */
      parsePrograms(file: Buffer, header: Header): Program[];
    };
  };
  export default elfy;
}
