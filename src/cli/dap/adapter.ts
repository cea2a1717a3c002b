/** `rvemu dap`: a debug adapter on standard input and output, as editors start it. */
import {
  ExitedEvent,
  InitializedEvent,
  OutputEvent,
  StoppedEvent,
  TerminatedEvent,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Point, PointKind } from '../../debug/dap/points.js';
import { Stepper, type Stopped } from '../../debug/dap/stepper.js';
import { explainEndlessTrap } from '../../machine/explain.js';
import type { Hart } from '../../rv64/hart.js';
import { Debuggee } from './debuggee.js';
import { readLaunchArguments } from './launch-arguments.js';
import { threadOf } from './looking-session.js';
import { BreakpointSession, PANIC_FILTER } from './breakpoint-session.js';

const FIRST_ARGUMENT = 10;

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

class Adapter extends BreakpointSession {
  private stepper!: Stepper;
  private stopsOnEntry = false;
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
      supportsConditionalBreakpoints: true,
      supportsDataBreakpoints: true,
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
    this.answerLater(response, async () => {
      const chosen = readLaunchArguments(given);
      const guest = await Debuggee.create(chosen, {
        onOutput: (text) => this.sendEvent(new OutputEvent(text, 'stdout')),
        onMessage: (text) => this.tell(text),
      });
      this.begin(guest);
      this.stepper = new Stepper(guest.target, guest.code, this.points, {
        onStopped: (stopped) => this.stopped(stopped),
        onEnded: () => {},
      });
      this.stopsOnEntry = chosen.stopOnEntry;
      this.sendEvent(new InitializedEvent());
    }).catch(this.onFailure);
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
    this.forgetValues();
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
