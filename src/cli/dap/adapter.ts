/** `rvemu dap`: a debug adapter on standard input and output, as editors start it. */
import {
  ExitedEvent,
  InitializedEvent,
  OutputEvent,
  Source,
  StoppedEvent,
  TerminatedEvent,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CodeAddress } from '../../debug/dap/code.js';
import { type Point, type PointKind, Points } from '../../debug/dap/points.js';
import { Stepper, type Stopped } from '../../debug/dap/stepper.js';
import { explainEndlessTrap } from '../../machine/explain.js';
import type { Hart } from '../../rv64/hart.js';
import { Debuggee } from './debuggee.js';
import { readLaunchArguments } from './launch-arguments.js';
import { LookingSession, threadOf } from './looking-session.js';

const FIRST_ARGUMENT = 10;
const PANIC_FILTER = { filter: 'panic', label: 'Kernel panics', default: true };

/** What the protocol calls the reasons of a halt. */
const REASONS: Readonly<Record<Stopped['reason'], string>> = {
  asked: 'pause',
  step: 'step',
  breakpoint: 'breakpoint',
  watchpoint: 'data breakpoint',
  stuck: 'exception',
  beginning: 'entry',
};

/** Speaks with the editor until it has hung up, or the guest has failed in a way that is rvemu's fault. */
export async function serveAdapter(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const adapter = new Adapter(resolve, reject);
    adapter.start(input, output);
    // A file ends and is not closed.
    input.on('end', resolve);
  });
  await new Promise<void>((resolve) => output.write('', () => resolve()));
}

class Adapter extends LookingSession {
  private points!: Points;
  private stepper!: Stepper;
  private stopsOnEntry = false;
  private lastPoint = 0;
  /** What is wrong where the guest was stopped for it. */
  private failure: { readonly id: string; readonly sentence: string } | undefined;

  constructor(
    private readonly onShutdown: () => void,
    private readonly onFailure: (error: unknown) => void,
  ) {
    super();
    this.setDebuggerLinesStartAt1(true);
  }

  // ---- from the beginning to the end --------------------------------------------------------------------

  protected override initializeRequest(response: DebugProtocol.InitializeResponse): void {
    response.body = {
      supportsConfigurationDoneRequest: true,
      supportsFunctionBreakpoints: true,
      supportsInstructionBreakpoints: true,
      supportsStepBack: true,
      supportsSteppingGranularity: true,
      supportsSetVariable: true,
      supportsReadMemoryRequest: true,
      supportsDisassembleRequest: true,
      supportsEvaluateForHovers: true,
      supportsTerminateRequest: true,
      supportsExceptionInfoRequest: true,
      exceptionBreakpointFilters: [PANIC_FILTER],
    };
    this.sendResponse(response);
  }

  protected override launchRequest(
    response: DebugProtocol.LaunchResponse,
    given: DebugProtocol.LaunchRequestArguments,
  ): void {
    this.answer(response, () => {
      const chosen = readLaunchArguments(given);
      const guest = Debuggee.create(chosen, {
        onOutput: (text) => this.sendEvent(new OutputEvent(text, 'stdout')),
        onMessage: (text) => this.tell(text),
      });
      this.begin(guest);
      this.points = new Points(guest.target.breakpoints, guest.code);
      this.stepper = new Stepper(guest.target, guest.code, this.points, {
        onStopped: (stopped) => this.stopped(stopped),
        onEnded: () => {},
      });
      this.stopsOnEntry = chosen.stopOnEntry;
      this.setPanicPoint(true);
      this.sendEvent(new InitializedEvent());
      return undefined;
    });
  }

  protected override configurationDoneRequest(response: DebugProtocol.ConfigurationDoneResponse): void {
    this.answer(response, () => {
      const { guest } = this;
      if (this.stopsOnEntry) this.sendStopped('entry', this.hart);
      else this.stepper.resume(this.hart);
      guest.run().then(({ exitCode, message }) => {
        if (message !== undefined) this.tell(message);
        this.sendEvent(new ExitedEvent(exitCode));
        this.sendEvent(new TerminatedEvent());
      }, this.onFailure);
      return undefined;
    });
  }

  protected override terminateRequest(response: DebugProtocol.TerminateResponse): void {
    this.answer(response, () => this.guest.leave());
  }

  override shutdown(): void {
    this.onShutdown();
  }

  private tell(text: string): void {
    this.sendEvent(new OutputEvent(`rvemu: ${text}\n`, 'console'));
  }

  // ---- stops --------------------------------------------------------------------------------------------

  private stopped({ hart, reason, points }: Stopped): void {
    const kind = points.find((point) => point.kind === 'exception')?.kind ?? points.at(0)?.kind;
    this.failure = this.failureAt(hart, reason, kind);
    if (this.failure) this.tell(this.guest.explain(this.failure.sentence));
    this.sendStopped(kind ?? REASONS[reason], hart, points);
  }

  private failureAt(hart: Hart, reason: Stopped['reason'], kind: PointKind | undefined) {
    const { symbols } = this.guest.machine;
    if (reason === 'stuck')
      return { id: 'endless trap', sentence: explainEndlessTrap(hart, hart.stuck!, symbols) };
    if (kind !== 'exception') return undefined;
    return { id: 'panic', sentence: `panic: ${this.values.text(hart, hart.x[FIRST_ARGUMENT])}` };
  }

  private sendStopped(reason: string, hart: Hart, points: readonly Point[] = []): void {
    this.hart = hart;
    const event: DebugProtocol.StoppedEvent = new StoppedEvent(
      reason,
      threadOf(hart),
      this.failure?.sentence,
    );
    event.body.allThreadsStopped = true;
    event.body.hitBreakpointIds = points.map(({ id }) => id);
    this.sendEvent(event);
  }

  protected override exceptionInfoRequest(response: DebugProtocol.ExceptionInfoResponse): void {
    this.answer(response, () => {
      if (this.failure === undefined) throw new RangeError('the guest was not stopped for a failure');
      const { id, sentence } = this.failure;
      return { exceptionId: id, description: sentence, breakMode: 'always' as const };
    });
  }

  // ---- breakpoints --------------------------------------------------------------------------------------

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

  private setPanicPoint(isWanted: boolean): void {
    const { kernel } = this.guest.code;
    const address = isWanted ? kernel.symbols.address('panic') : undefined;
    const id = ++this.lastPoint;
    this.points.replace(
      'panic',
      address === undefined ? [] : [{ id, kind: 'exception', address, program: kernel }],
    );
  }

  private setPoints<Wanted>(
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
      points.push(...places.map((place) => ({ id, kind, ...place })));
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

  // ---- going on -----------------------------------------------------------------------------------------

  /** Has the machine go on, from the hart of a thread, when the editor has been told so. */
  private go(response: DebugProtocol.Response, thread: number, action: (hart: Hart) => void): void {
    this.answer(response, () => {
      const hart = this.hartOf(thread);
      this.checkHalted();
      this.failure = undefined;
      action(hart);
      return { allThreadsContinued: true };
    });
  }

  private checkHistory(): void {
    if (this.guest.target.canGoBack) return;
    throw new RangeError('there is no way back: the launch configuration has "history": 0');
  }

  protected override continueRequest(
    response: DebugProtocol.ContinueResponse,
    { threadId }: DebugProtocol.ContinueArguments,
  ): void {
    this.go(response, threadId, (hart) => this.stepper.resume(hart));
  }

  protected override reverseContinueRequest(
    response: DebugProtocol.ReverseContinueResponse,
    { threadId }: DebugProtocol.ReverseContinueArguments,
  ): void {
    this.go(response, threadId, () => {
      this.checkHistory();
      this.stepper.resumeBack();
    });
  }

  protected override nextRequest(
    response: DebugProtocol.NextResponse,
    { threadId, granularity }: DebugProtocol.NextArguments,
  ): void {
    this.go(response, threadId, (hart) => this.step(hart, granularity, false));
  }

  protected override stepInRequest(
    response: DebugProtocol.StepInResponse,
    { threadId, granularity }: DebugProtocol.StepInArguments,
  ): void {
    this.go(response, threadId, (hart) => this.step(hart, granularity, true));
  }

  private step(
    hart: Hart,
    granularity: DebugProtocol.SteppingGranularity | undefined,
    isInto: boolean,
  ): void {
    if (granularity === 'instruction') this.stepper.stepInstruction(hart);
    else this.stepper.stepLine(hart, isInto);
  }

  protected override stepOutRequest(
    response: DebugProtocol.StepOutResponse,
    { threadId }: DebugProtocol.StepOutArguments,
  ): void {
    this.go(response, threadId, (hart) => {
      if (!this.stepper.stepOut(hart)) throw new RangeError('the stack shows no caller to step out to');
    });
  }

  protected override stepBackRequest(
    response: DebugProtocol.StepBackResponse,
    { threadId, granularity }: DebugProtocol.StepBackArguments,
  ): void {
    this.go(response, threadId, (hart) => {
      this.checkHistory();
      if (granularity === 'instruction') this.stepper.stepInstructionBack(hart);
      else this.stepper.stepLineBack(hart);
    });
  }

  protected override pauseRequest(
    response: DebugProtocol.PauseResponse,
    { threadId }: DebugProtocol.PauseArguments,
  ): void {
    this.answer(response, () => {
      if (!this.guest.target.isHalted) this.stepper.pause(this.hartOf(threadId || threadOf(this.hart)));
      return undefined;
    });
  }
}
