/** `rvemu explain`: the rules of the checker, in a line each, or one of them on a page. */
import { closest } from 'fastest-levenshtein';
import { BadInputError } from '../machine/errors.js';
import { isRule, RULES, type Rule } from '../xv6/rules.js';

const WIDTH = 80;

/** All rules, or the page of one. Throws BadInputError for a name that no rule has. */
export function explain(name: string | undefined): string {
  if (name === undefined) return listRules();
  if (!isRule(name)) throw noSuchRule(name);
  const { severity, law, reason, causes, advice }: Rule = RULES[name];
  const items = causes.map((cause) => wrap(cause, '  - ', '    '));
  const parts = [
    `${name} (${severity})`,
    wrap(law),
    wrap(reason),
    ['How it comes about:', ...items].join('\n'),
    ['Where to look:', wrap(advice, '  ', '  ')].join('\n'),
  ];
  return parts.join('\n\n') + '\n';
}

/** What to say of a name that no rule has. */
export const noSuchRule = (name: string): BadInputError =>
  new BadInputError(
    `there is no rule ${name}; the nearest is ${closest(name, Object.keys(RULES))}, and "rvemu explain" lists all`,
  );

function listRules(): string {
  const entries = Object.entries(RULES);
  const width = Math.max(...entries.map(([name]) => name.length)) + 2;
  return entries.map(([name, { law }]) => `${name.padEnd(width)}${law}\n`).join('');
}

/** Breaks text into lines of a terminal's width, with these words before the first and the others. */
export function wrap(text: string, first = '', rest = ''): string {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.trim() !== '-' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = rest + word;
    } else line += (line === first || line.endsWith(' ') ? '' : ' ') + word;
  }
  return [...lines, line].join('\n');
}
