/** Findings as files for other programs: JSON, JUnit XML, SARIF, and GitHub's workflow commands. */
import junit from 'junit-report-builder';
import { SarifBuilder, SarifResultBuilder, SarifRuleBuilder, SarifRunBuilder } from 'node-sarif-builder';
import type { Place, Places } from '../debug/places.js';
import type { Event, Finding } from '../xv6/finding.js';
import { RULES, type RuleId } from '../xv6/rules.js';
import { where, who } from './check-text.js';
import { EXIT } from './session.js';

/** What a run, or several with different seeds, found. */
export interface CheckReport {
  readonly kernel: string;
  readonly version: string;
  readonly runs: readonly CheckedRun[];
}

export interface CheckedRun {
  readonly seed: number;
  /** What the session without the checker would have ended with. */
  readonly exitCode: number;
  readonly findings: readonly Finding[];
  readonly notChecked: readonly string[];
  /** A command that runs it again. */
  readonly reproduce: string;
}

const RULE_IDS = Object.keys(RULES) as RuleId[];

/** The test case that says whether the run came to its end. */
const END = 'the run ends as it should';
const ENDS: Partial<Record<number, string>> = {
  [EXIT.unexpected]: 'no line of output matched what was expected',
  [EXIT.panicked]: 'the guest panicked',
  [EXIT.timeout]: 'the run took too long',
};

/** How a run failed that has no findings; undefined for one that did not. */
const failureOf = ({ findings, exitCode }: CheckedRun): string | undefined =>
  findings.length > 0 || exitCode === EXIT.done
    ? undefined
    : (ENDS[exitCode] ?? `the run ended with exit code ${exitCode}`);

const hex = (value: number | bigint | undefined): string | undefined =>
  value === undefined ? undefined : '0x' + value.toString(16);

export const FORMATS = {
  json: (report: CheckReport, places: Places): string =>
    JSON.stringify(asJson(report, places), null, 2) + '\n',
  junit: asJunit,
  sarif: asSarif,
  github: asGithub,
} as const;

function asJson({ kernel, version, runs }: CheckReport, places: Places) {
  const event = (each: Event) => ({
    instruction: each.instruction,
    cycle: each.cycle,
    hart: each.hart,
    process: each.process,
    stack: places.ofStack(each.stack).map((place) => ({ ...place, address: hex(place.address) })),
  });
  return {
    kernel,
    rvemu: version,
    runs: runs.map((run) => ({
      seed: run.seed,
      exitCode: run.exitCode,
      reproduce: run.reproduce,
      notChecked: run.notChecked,
      findings: run.findings.map((finding) => ({
        rule: finding.rule,
        severity: RULES[finding.rule].severity,
        message: finding.message,
        count: finding.count,
        ...event(finding.event),
        rootTable: hex(finding.root),
        virtualAddress: hex(finding.virtualAddress),
        physicalAddress: hex(finding.physicalAddress),
        entryBefore: hex(finding.entryBefore),
        entryExpected: hex(finding.entryExpected),
        entryAfter: hex(finding.entryAfter),
        history: (finding.history ?? []).map((each) => ({ what: each.what, ...event(each.event) })),
      })),
    })),
  };
}

/** A test suite for each seed, in it a test case for each rule, and one for the run's end. */
function asJunit({ kernel, runs }: CheckReport, places: Places): string {
  // The package's types say that its default export is a module; Node gives the builder itself.
  const builder = (junit as unknown as typeof junit.default).newBuilder();
  for (const run of runs) {
    const { seed, findings, reproduce } = run;
    const suite = builder.testSuite().name(`rvemu check ${kernel}, seed ${seed}`);
    for (const rule of RULE_IDS) {
      const test = suite.testCase().className('rvemu.check').name(rule);
      const broken = findings.filter((finding) => finding.rule === rule);
      if (broken.length === 0) continue;
      const details = broken.map((finding) => inLines(finding, places)).join('\n\n');
      test.failure(broken[0].message, RULES[rule].severity);
      test.stacktrace(`${details}\n\nreproduce: ${reproduce}`);
    }
    const end = suite.testCase().className('rvemu.check').name(END);
    const failure = failureOf(run);
    if (failure) end.failure(failure, 'error').stacktrace(`reproduce: ${reproduce}`);
  }
  return builder.build() + '\n';
}

function asSarif({ version, runs }: CheckReport, places: Places): string {
  const run = new SarifRunBuilder().initSimple({ toolDriverName: 'rvemu', toolDriverVersion: version });
  for (const rule of RULE_IDS) {
    run.addRule(new SarifRuleBuilder().initSimple({ ruleId: rule, shortDescriptionText: RULES[rule].law }));
  }
  for (const { findings, reproduce } of runs) {
    for (const finding of findings) {
      const place = firstWithLine(finding, places);
      const result = new SarifResultBuilder().initSimple({
        ruleId: finding.rule,
        level: RULES[finding.rule].severity,
        messageText: `${inLines(finding, places)}\nreproduce: ${reproduce}`,
        ...(place && { fileUri: uriOf(place), startLine: place.line }),
      });
      run.addResult(result);
    }
  }
  run.run.invocations = runs.map((each) => ({
    executionSuccessful: failureOf(each) === undefined,
    exitCode: each.exitCode,
  }));
  const sarif = new SarifBuilder();
  sarif.addRun(run);
  return sarif.buildSarifJsonString({ indent: true }) + '\n';
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
function asGithub({ runs }: CheckReport, places: Places): string {
  const escape = (text: string): string =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const lines = runs.flatMap((run) => {
    const { findings, reproduce } = run;
    const failure = failureOf(run);
    if (failure) return `::error title=rvemu check::${escape(`${failure}\nreproduce: ${reproduce}`)}\n`;
    return findings.map((finding) => {
      const place = firstWithLine(finding, places);
      const at = place ? `file=${uriOf(place)},line=${place.line},` : '';
      const text = `${inLines(finding, places)}\nreproduce: ${reproduce}`;
      return `::${RULES[finding.rule].severity} ${at}title=${finding.rule}::${escape(text)}\n`;
    });
  });
  return lines.join('');
}

const firstWithLine = (finding: Finding, places: Places): Place | undefined =>
  places.ofStack(finding.event.stack).find((place) => place.file !== undefined);

const uriOf = (place: Place): string => place.file!.replace(/^\.\//, '');

function inLines(finding: Finding, places: Places): string {
  const calls = places.ofStack(finding.event.stack).map((place) => `  ${where(place)}`);
  return [finding.message, who(finding.event), ...calls].join('\n');
}
