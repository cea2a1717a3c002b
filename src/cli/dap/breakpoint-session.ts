/** The requests of the Debug Adapter Protocol that set breakpoints: at lines, functions, instructions, data and panics. */
import { Source } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CodeAddress } from '../../debug/dap/code.js';
import { conditionOf } from '../../debug/dap/condition.js';
import { type Point, type PointKind, Points } from '../../debug/dap/points.js';
import type { WatchKind } from '../../debug/watchpoints.js';
import { hex } from '../../machine/hex.js';
import type { Debuggee } from './debuggee.js';
import { LookingSession } from './looking-session.js';

export const PANIC_FILTER = { filter: 'panic', label: 'Kernel panics', default: true };

const WATCH_KINDS: Readonly<Record<DebugProtocol.DataBreakpointAccessType, WatchKind>> = {
  write: 'write',
  read: 'read',
  readWrite: 'access',
};

const ACCESS_TYPES = Object.keys(WATCH_KINDS) as DebugProtocol.DataBreakpointAccessType[];

export abstract class BreakpointSession extends LookingSession {
  protected points!: Points;
  private lastPoint = 0;

  protected override begin(guest: Debuggee): void {
    super.begin(guest);
    this.points = new Points(guest.target.breakpoints, guest.code);
    this.setPanicPoint(PANIC_FILTER.default);
  }

  protected override setBreakPointsRequest(
    response: DebugProtocol.SetBreakpointsResponse,
    { source, breakpoints = [] }: DebugProtocol.SetBreakpointsArguments,
  ): void {
    this.answer(response, () => {
      const path = source.path ?? source.name ?? '';
      const { code, sources } = this.guest;
      return this.setPoints(path, 'breakpoint', breakpoints, ({ line }) => {
        const wanted = this.convertClientLineToDebugger(line);
        const found = code.placesOfLine((file) => sources.isAt(path, file), wanted);
        const shown = { line: found ? this.convertDebuggerLineToClient(found.line) : line, source };
        return { places: found?.addresses ?? [], shown, problem: 'no code comes from this line' };
      });
    });
  }

  protected override setFunctionBreakPointsRequest(
    response: DebugProtocol.SetFunctionBreakpointsResponse,
    { breakpoints }: DebugProtocol.SetFunctionBreakpointsArguments,
  ): void {
    this.answer(response, () =>
      this.setPoints('functions', 'function breakpoint', breakpoints, ({ name }) => {
        const places = this.guest.code.placesOfFunction(name);
        const problem = `neither the kernel nor a user program whose file is known has a function ${name}`;
        return { places, shown: this.shownAt(places.at(0)), problem };
      }),
    );
  }

  protected override setInstructionBreakpointsRequest(
    response: DebugProtocol.SetInstructionBreakpointsResponse,
    { breakpoints }: DebugProtocol.SetInstructionBreakpointsArguments,
  ): void {
    this.answer(response, () =>
      this.setPoints('instructions', 'instruction breakpoint', breakpoints, (each) => {
        const base = this.values.evaluate(this.hart, each.instructionReference);
        const address = BigInt.asUintN(64, base + BigInt(each.offset ?? 0));
        return { places: [{ address }], shown: {}, problem: '' };
      }),
    );
  }

  protected override setExceptionBreakPointsRequest(
    response: DebugProtocol.SetExceptionBreakpointsResponse,
    { filters }: DebugProtocol.SetExceptionBreakpointsArguments,
  ): void {
    this.answer(response, () => {
      this.setPanicPoint(filters.includes(PANIC_FILTER.filter));
      return undefined;
    });
  }

  protected override dataBreakpointInfoRequest(
    response: DebugProtocol.DataBreakpointInfoResponse,
    { variablesReference, name, frameId }: DebugProtocol.DataBreakpointInfoArguments,
  ): void {
    this.answer(response, () => {
      const value = this.valueNamed(name, variablesReference, frameId);
      const bytes = value?.bytes?.length ?? 0;
      if (value?.address === undefined || bytes === 0)
        return { dataId: null, description: `${name} is not in memory, where alone changes are seen` };
      const dataId = `${hex(value.address)} ${bytes}`;
      return {
        dataId,
        description: `${name} at ${dataId} bytes`,
        accessTypes: ACCESS_TYPES,
      };
    });
  }

  protected override setDataBreakpointsRequest(
    response: DebugProtocol.SetDataBreakpointsResponse,
    { breakpoints }: DebugProtocol.SetDataBreakpointsArguments,
  ): void {
    this.answer(response, () => {
      const { watchpoints } = this.guest.target;
      watchpoints.clear();
      return {
        breakpoints: breakpoints.map(({ dataId, accessType = 'write' }) => {
          const [, address, length] = /^(0x[0-9a-f]+) (\d+)$/.exec(dataId) ?? [];
          if (address === undefined) throw new RangeError(`"${dataId}" names no data`);
          const watchpoint = {
            kind: WATCH_KINDS[accessType],
            address: BigInt(address),
            length: Number(length),
          };
          const verified = watchpoints.add(watchpoint, this.hart);
          return { id: ++this.lastPoint, verified, ...(!verified && { message: 'not all of it is memory' }) };
        }),
      };
    });
  }

  private setPanicPoint(isWanted: boolean): void {
    const { kernel } = this.guest.code;
    const address = isWanted ? kernel.symbols.address('panic') : undefined;
    const id = ++this.lastPoint;
    this.points.replace(
      'panic',
      address === undefined ? [] : [{ id, kind: 'exception', address, program: kernel }],
    );
  }

  private setPoints<Wanted extends { condition?: string }>(
    group: string,
    kind: PointKind,
    wanted: readonly Wanted[],
    find: (wanted: Wanted) => {
      places: readonly (Omit<CodeAddress, 'program'> & Partial<CodeAddress>)[];
      shown: Partial<DebugProtocol.Breakpoint>;
      problem: string;
    },
  ): { breakpoints: DebugProtocol.Breakpoint[] } {
    const points: Point[] = [];
    const breakpoints = wanted.map((each) => {
      const { places, shown, problem } = find(each);
      const id = ++this.lastPoint;
      const condition = each.condition ? conditionOf(each.condition, this.locals, this.values) : undefined;
      points.push(...places.map((place) => ({ id, kind, condition, ...place })));
      const verified = places.length > 0;
      return { id, verified, ...shown, ...(!verified && { message: problem }) };
    });
    this.points.replace(group, points);
    return { breakpoints };
  }

  private shownAt(place: CodeAddress | undefined): Partial<DebugProtocol.Breakpoint> {
    const line = place?.program.lines.at(Number(place.address));
    if (line === undefined) return {};
    const path = this.guest.sources.pathOf(line.file) ?? line.file;
    return { line: this.convertDebuggerLineToClient(line.line), source: new Source(line.file, path) };
  }
}
