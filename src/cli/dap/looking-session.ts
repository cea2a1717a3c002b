/**
 * The requests of the Debug Adapter Protocol that only look at a guest: threads, which are the harts, their stacks, registers
 * and memory. What a request means is told at microsoft.github.io/debug-adapter-protocol/specification.
 */
import { basename } from 'node:path';
import { DebugSession, Handles, Scope, Source, StackFrame, Thread } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Locals } from '../../debug/dap/locals.js';
import { nameOf, SCOPES, Values } from '../../debug/dap/values.js';
import { hasParts, type TypedValue } from '../../debug/dwarf/typed-value.js';
import { typeName } from '../../debug/dwarf/types.js';
import { BlockStoreError } from '../../devices/device.js';
import { BadInputError } from '../../machine/errors.js';
import { hex } from '../../machine/hex.js';
import type { Hart } from '../../rv64/hart.js';
import type { Debuggee } from './debuggee.js';

/** Frames that the numbers of one hart's are for. */
const FRAMES_PER_HART = 1000;
/** Above the numbers of scopes that are always there. */
const FIRST_HANDLE = 1000;

/** Values of a hart that are listed when they are asked for. */
interface Shown {
  readonly hart: Hart;
  readonly list: () => readonly TypedValue[];
}

/** The innermost one is 0. */
const numberOfFrame = (frame = 0): number => frame % FRAMES_PER_HART;

export const threadOf = (hart: Hart): number => hart.index + 1;

export abstract class LookingSession extends DebugSession {
  private launched:
    { readonly guest: Debuggee; readonly values: Values; readonly locals: Locals } | undefined;
  /** Values of C that can be asked for, until the guest goes on. */
  private readonly shown = new Handles<Shown>(FIRST_HANDLE);
  /** The hart that was looked at last, for requests that name none. */
  protected hart!: Hart;

  /** The guest. Throws BadInputError before there is one. */
  protected get guest(): Debuggee {
    if (this.launched) return this.launched.guest;
    throw new BadInputError('no guest has been launched yet');
  }

  protected get values(): Values {
    void this.guest;
    return this.launched!.values;
  }

  protected get locals(): Locals {
    void this.guest;
    return this.launched!.locals;
  }

  /** To be called when the guest has gone on: what was listed of it is no more. */
  protected forgetValues(): void {
    this.shown.reset();
  }

  protected begin(guest: Debuggee): void {
    const { machine, code } = guest;
    this.launched = { guest, values: new Values(machine, code), locals: new Locals(machine, code) };
    this.hart = guest.machine.harts[0];
  }

  /** Answers with what `body` returns, or with the sentence that it throws. */
  protected answer<Response extends DebugProtocol.Response>(
    response: Response,
    body: () => Response['body'],
  ): void {
    try {
      response.body = body();
      this.sendResponse(response);
    } catch (error) {
      this.refuse(response, error);
    }
  }

  /** The same with what takes a while. */
  protected async answerLater<Response extends DebugProtocol.Response>(
    response: Response,
    body: () => Promise<Response['body']>,
  ): Promise<void> {
    try {
      response.body = await body();
      this.sendResponse(response);
    } catch (error) {
      this.refuse(response, error);
    }
  }

  /** Throws what is not for the user. */
  private refuse(response: DebugProtocol.Response, error: unknown): void {
    const isForUser =
      error instanceof RangeError || error instanceof BadInputError || error instanceof BlockStoreError;
    if (!isForUser) throw error;
    // The library leaves names without a line in front out of messages, as private.
    const variables = { _sentence: error.message };
    this.sendErrorResponse(response, { id: 1, format: '{_sentence}', variables, showUser: true });
  }

  protected hartOf(thread: number): Hart {
    const hart = this.guest.machine.harts[thread - 1];
    if (hart === undefined)
      throw new RangeError(`there is no thread ${thread}: threads are harts, from 1 on`);
    return (this.hart = hart);
  }

  // ---- threads and their stacks -------------------------------------------------------------------------

  protected override threadsRequest(response: DebugProtocol.ThreadsResponse): void {
    this.answer(response, () => ({
      threads: this.guest.machine.harts.map((hart) => new Thread(threadOf(hart), `hart ${hart.index}`)),
    }));
  }

  protected override stackTraceRequest(
    response: DebugProtocol.StackTraceResponse,
    { threadId, startFrame = 0, levels = 0 }: DebugProtocol.StackTraceArguments,
  ): void {
    this.answer(response, () => {
      const hart = this.hartOf(threadId);
      const calls = this.guest.code.stack(hart);
      const frames = calls.map(({ address, name, line }, index) => {
        const source = line && this.sourceOf(line.file);
        const frame: DebugProtocol.StackFrame = new StackFrame(
          hart.index * FRAMES_PER_HART + index,
          name,
          source,
          line && this.convertDebuggerLineToClient(line.line),
        );
        frame.instructionPointerReference = hex(address);
        return frame;
      });
      const end = levels === 0 ? undefined : startFrame + levels;
      return { stackFrames: frames.slice(startFrame, end), totalFrames: frames.length };
    });
  }

  private sourceOf(file: string): Source {
    return new Source(basename(file), this.guest.sources.pathOf(file) ?? file);
  }

  // ---- registers ----------------------------------------------------------------------------------------

  /** All frames of a hart show its registers as they are now. */
  protected override scopesRequest(
    response: DebugProtocol.ScopesResponse,
    { frameId }: DebugProtocol.ScopesArguments,
  ): void {
    this.answer(response, () => {
      const hart = this.hartOfFrame(frameId);
      const list = (): TypedValue[] => this.locals.of(hart, numberOfFrame(frameId));
      const locals: DebugProtocol.Scope = new Scope('Locals', this.shown.create({ hart, list }));
      const registers = SCOPES.map(({ name }, scope): DebugProtocol.Scope => {
        const listed = new Scope(name, hart.index * SCOPES.length + scope + 1);
        return { ...listed, presentationHint: 'registers' };
      });
      return { scopes: [{ ...locals, presentationHint: 'locals' }, ...registers] };
    });
  }

  protected override variablesRequest(
    response: DebugProtocol.VariablesResponse,
    { variablesReference }: DebugProtocol.VariablesArguments,
  ): void {
    this.answer(response, () => {
      const shown = this.shown.get(variablesReference);
      if (shown) return { variables: shown.list().map((value) => this.variableOf(shown.hart, value)) };
      const { hart, registers } = this.scopeOf(variablesReference);
      // The library leaves names without a line in front out of messages, as private.
      const variables = registers.map((register): DebugProtocol.Variable => {
        const address = hex(BigInt.asUintN(64, register.read(hart)));
        return {
          name: nameOf(register),
          value: this.values.show(hart, register),
          variablesReference: 0,
          memoryReference: address,
        };
      });
      return { variables };
    });
  }

  protected override setVariableRequest(
    response: DebugProtocol.SetVariableResponse,
    { variablesReference, name, value }: DebugProtocol.SetVariableArguments,
  ): void {
    this.answer(response, () => {
      if (this.shown.get(variablesReference))
        throw new RangeError(
          `${name} cannot be written here; write the register or the memory that it is in`,
        );
      const { hart, registers } = this.scopeOf(variablesReference);
      const register = registers.find((each) => nameOf(each) === name);
      if (register?.write === undefined) throw new RangeError(`${name} cannot be written`);
      this.checkHalted();
      const written = this.values.evaluate(hart, value);
      this.guest.target.changeByHand();
      register.write(hart, BigInt.asIntN(64, written));
      return { value: this.values.show(hart, register) };
    });
  }

  /** A value that is listed under a reference, or that an expression names in a frame. */
  protected valueNamed(
    name: string,
    reference: number | undefined,
    frame: number | undefined,
  ): TypedValue | undefined {
    const shown = reference === undefined ? undefined : this.shown.get(reference);
    if (shown) return shown.list().find((value) => value.name === name);
    return this.locals.named(this.hartOfFrame(frame), numberOfFrame(frame), name);
  }

  private variableOf(hart: Hart, value: TypedValue): DebugProtocol.Variable {
    const list = (): TypedValue[] => this.locals.parts(hart, value);
    return {
      name: value.name,
      value: this.locals.show(hart, value),
      type: typeName(value.type),
      variablesReference: hasParts(value) ? this.shown.create({ hart, list }) : 0,
      ...(value.address !== undefined && { memoryReference: hex(value.address) }),
    };
  }

  private hartOfFrame(frame: number | undefined): Hart {
    return frame === undefined ? this.hart : this.hartOf(Math.floor(frame / FRAMES_PER_HART) + 1);
  }

  private scopeOf(reference: number): { hart: Hart; registers: (typeof SCOPES)[number]['registers'] } {
    const index = reference - 1;
    const hart = this.hartOf(Math.floor(index / SCOPES.length) + 1);
    return { hart, registers: SCOPES[index % SCOPES.length].registers };
  }

  /** Throws RangeError while the guest runs. */
  protected checkHalted(): void {
    if (!this.guest.target.isHalted) throw new RangeError('the guest is running; pause it first');
  }

  // ---- memory and expressions ---------------------------------------------------------------------------

  protected override readMemoryRequest(
    response: DebugProtocol.ReadMemoryResponse,
    { memoryReference, offset = 0, count }: DebugProtocol.ReadMemoryArguments,
  ): void {
    this.answer(response, () => {
      const address = this.values.evaluate(this.hart, memoryReference) + BigInt(offset);
      const bytes = this.values.memory(this.hart, address, count);
      return {
        address: hex(BigInt.asUintN(64, address)),
        data: Buffer.from(bytes).toString('base64'),
        unreadableBytes: count - bytes.length,
      };
    });
  }

  protected override disassembleRequest(
    response: DebugProtocol.DisassembleResponse,
    request: DebugProtocol.DisassembleArguments,
  ): void {
    const { memoryReference, offset = 0, instructionOffset = 0, instructionCount } = request;
    this.answer(response, () => {
      const { hart } = this;
      const address = this.values.evaluate(hart, memoryReference) + BigInt(offset);
      const listed = this.values.disassemble(hart, address, instructionOffset, instructionCount);
      const instructions = listed.map(({ address: at, bytes, text }) => {
        const line = this.guest.code.lineAt(hart, at);
        return {
          address: hex(at),
          instructionBytes: bytes,
          instruction: text,
          symbol: this.guest.code.describe(hart, at),
          ...(line && {
            location: this.sourceOf(line.file),
            line: this.convertDebuggerLineToClient(line.line),
          }),
        };
      });
      return { instructions };
    });
  }

  protected override evaluateRequest(
    response: DebugProtocol.EvaluateResponse,
    { expression, frameId, context }: DebugProtocol.EvaluateArguments,
  ): void {
    this.answer(response, () => {
      const [, typed] = /^>\s?(.*)$/s.exec(expression) ?? [];
      if (context === 'repl' && typed !== undefined) {
        this.guest.type(`${typed}\n`);
        return { result: '', variablesReference: 0 };
      }
      const hart = this.hartOfFrame(frameId);
      const named = this.locals.named(hart, numberOfFrame(frameId), expression);
      if (named) {
        const { value: shown, ...rest } = this.variableOf(hart, named);
        return { ...rest, result: shown };
      }
      const value = this.values.evaluate(hart, expression);
      const result = this.values.showNumber(hart, value);
      return { result, variablesReference: 0, memoryReference: hex(value) };
    });
  }
}
