/** Rows as a table for people. */
import type { Goal, Row, Unit } from './rows.js';

const HEADINGS = ['work', 'QEMU', 'rvemu', 'ratio', 'goal'] as const;

/** The heading and a line for each row, in columns as wide as they need be. */
export function formatTable(rows: readonly Row[]): string[] {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 || column === 4 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd(),
  );
}

const cells = ({ work, unit, qemu, rvemu, ratio, judged, goal }: Row): readonly string[] => [
  work,
  quantity(qemu, unit),
  quantity(rvemu, unit),
  ratio === undefined ? '-' : significant(ratio),
  goal === undefined ? '' : verdict(goal, judged),
];

function quantity(value: number | undefined, unit: Unit): string {
  return value === undefined ? '-' : `${significant(value)} ${unit}`;
}

/** Three significant digits, and all of those before the point. */
function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** What was to be reached, and whether it was. A figure that only rounds to the goal is not there. */
function verdict(goal: Goal, judged: number | undefined): string {
  const isMore = 'least' in goal;
  const bound = isMore ? goal.least : goal.most;
  const aim = goal.aim === undefined ? '' : `, aim ${goal.aim}`;
  const wanted = `at ${isMore ? 'least' : 'most'} ${bound}${aim}`;
  if (judged === undefined) return wanted;
  const reaches = (limit: number): boolean => (isMore ? judged >= limit : judged <= limit);
  if (!reaches(bound)) return `${wanted}: missed`;
  return `${wanted}: ${goal.aim !== undefined && reaches(goal.aim) ? 'aim reached' : 'reached'}`;
}
