/** Signals that end a process which does not listen to them, and then leave its terminal as it is. */
export const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGALRM', 'SIGUSR2', 'SIGXCPU'] as const;
export type EndSignal = (typeof SIGNALS)[number];

let listener: ((name: EndSignal) => void) | undefined;
let unheard: EndSignal | undefined;
let isListening = false;

/**
 * Has `listen` told of signals from now on, and of the one that came since the last listener went away: what a run
 * leaves behind is written to its end, and only the next one does not begin. Returns what makes this listener go away.
 */
export function listenToSignals(listen: (name: EndSignal) => void): () => void {
  if (!isListening) for (const name of SIGNALS) process.on(name, () => tell(name));
  isListening = true;
  listener = listen;
  if (unheard) tell(unheard);
  return () => (listener = undefined);
}

function tell(name: EndSignal): void {
  if (listener) listener(name);
  else unheard = name;
}
