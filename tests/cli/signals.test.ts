import { describe, expect, it } from 'vitest';
import { type EndSignal, listenToSignals } from '../../src/cli/signals.js';

const send = (name: EndSignal) => process.emit(name, name);

describe('a signal', () => {
  it('is told to the run that is under way, and after it to the next one', () => {
    const [first, second]: EndSignal[][] = [[], []];
    const forget = listenToSignals((name) => first.push(name));
    send('SIGALRM');
    forget();
    expect(first).toEqual(['SIGALRM']);

    send('SIGXCPU');
    listenToSignals((name) => second.push(name))();
    expect(second).toEqual(['SIGXCPU']);
    expect(first).toEqual(['SIGALRM']);
  });
});
