import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Validator } from '@cfworker/json-schema';
import { describe, expect, it } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { type CheckReport, FORMATS } from '../../src/cli/check-formats.js';
import { explain } from '../../src/cli/explain.js';
import { Places } from '../../src/debug/places.js';
import type { Finding } from '../../src/xv6/finding.js';
import { RULES } from '../../src/xv6/rules.js';
import { kernelElf } from '../support/images.js';

const places = new Places(kernelElf);
const rules = Object.keys(RULES);

const finding: Finding = {
  rule: 'frame-freed-twice',
  message: 'kfree of 0x87ffc000 <twice>, 100 %',
  event: { instruction: 40, cycle: 42, hart: 1, process: { pid: 3, name: 'sh' }, stack: [0x8000_0024] },
  root: 0x87ff_f000,
  path: [],
  count: 2,
  physicalAddress: 0x87ff_c000,
  entryBefore: 0x21ff_f001n,
};

const report = (...findings: Finding[]): CheckReport => ({
  kernel: 'kernel/kernel',
  version: '0.1.0',
  runs: [{ seed: 7, exitCode: 0, findings, notChecked: ['locks'], reproduce: 'rvemu check --seed 7' }],
});

const panicked: CheckReport = { ...report(), runs: [{ ...report().runs[0], exitCode: 3 }] };

const read = (path: string | URL): string => readFileSync(path, 'utf8');
const sarifSchema = createRequire(import.meta.url).resolve(
  '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json',
);
const junitSchema = new URL('../support/junit.xsd', import.meta.url);

/** What the specification's schema has against a SARIF log. */
function sarifErrors(log: string): unknown {
  return new Validator(JSON.parse(read(sarifSchema)), '4', false).validate(JSON.parse(log)).errors;
}

async function junitErrors(xml: string): Promise<readonly unknown[]> {
  const { errors } = await validateXML({
    xml: { fileName: 'report.xml', contents: xml },
    schema: read(junitSchema),
  });
  return errors;
}

const nowhere: Finding = { ...finding, rule: 'frame-lost', event: { ...finding.event, stack: [] } };
const reports = [
  ['no findings', report()],
  ['findings', report(finding, nowhere)],
  ['a panic', panicked],
  ['several runs', { ...report(), runs: [...report(finding).runs, ...report().runs] }],
] as const;

describe.each(reports)('a report with %s is valid', (_, each) => {
  it("by SARIF's schema", () => expect(sarifErrors(FORMATS.sarif(each, places))).toEqual([]));
  it("by JUnit's", async () => expect(await junitErrors(FORMATS.junit(each, places))).toEqual([]));
});

it('a schema finds what is wrong with a report', async () => {
  expect(sarifErrors('{"version": "2.1.0"}')).not.toEqual([]);
  expect(await junitErrors('<testsuites tests="1" failures="0"><test/></testsuites>')).not.toEqual([]);
});

describe('a report', () => {
  it('as JSON has every run and finding, numbers as they are written in C', () => {
    const { runs } = JSON.parse(FORMATS.json(report(finding), places));
    expect(runs[0]).toMatchObject({ seed: 7, notChecked: ['locks'], reproduce: 'rvemu check --seed 7' });
    expect(runs[0].findings[0]).toMatchObject({
      rule: 'frame-freed-twice',
      entryBefore: '0x21fff001',
      count: 2,
    });
    expect(JSON.parse(FORMATS.json(report(), places)).runs[0].findings).toEqual([]);
  });

  it("as JUnit XML has a test case for each rule and the run's end, and a failure for each that is broken", () => {
    const clean = FORMATS.junit(report(), places);
    expect(clean.match(/<testcase /g)).toHaveLength(rules.length + 1);
    expect(clean).not.toContain('<failure');
    const broken = FORMATS.junit(report(finding), places);
    expect(broken.match(/<failure/g)).toHaveLength(1);
    expect(broken).toContain('&lt;twice');
  });

  it('as SARIF 2.1.0 has results even when there are none', () => {
    const empty = JSON.parse(FORMATS.sarif(report(), places));
    expect(empty.version).toBe('2.1.0');
    expect(empty.runs[0].results).toEqual([]);
    expect(empty.runs[0].tool.driver.rules).toHaveLength(rules.length);
    const [result] = JSON.parse(FORMATS.sarif(report(finding), places)).runs[0].results;
    expect(result).toMatchObject({ ruleId: 'frame-freed-twice', level: 'error' });
    expect(result.locations[0].physicalLocation.artifactLocation.uri).toBe('kernel/alloc.c');
  });

  it("as GitHub's workflow commands has a line for each finding", () => {
    expect(FORMATS.github(report(), places)).toBe('');
    const lines = FORMATS.github(report(finding), places).trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^::error file=kernel\/alloc\.c,line=\d+,title=frame-freed-twice::/);
    expect(lines[0]).toContain('100 %25');
  });
});

describe('a run that fails without a finding', () => {
  it('is a failure in JUnit XML', () => {
    const xml = FORMATS.junit(panicked, places);
    expect(xml).toMatch(/name="the run ends as it should">\s*<failure message="the guest panicked"/);
    expect(xml.match(/<failure/g)).toHaveLength(1);
  });

  it('is an unsuccessful invocation in SARIF', () => {
    const invocationsOf = (each: CheckReport) => JSON.parse(FORMATS.sarif(each, places)).runs[0].invocations;
    expect(invocationsOf(panicked)).toEqual([{ executionSuccessful: false, exitCode: 3 }]);
    expect(invocationsOf(report(finding))).toEqual([{ executionSuccessful: true, exitCode: 0 }]);
  });

  it("is an error in GitHub's workflow commands", () => {
    expect(FORMATS.github(panicked, places)).toBe(
      '::error title=rvemu check::the guest panicked%0Areproduce: rvemu check --seed 7\n',
    );
  });
});

describe('explain', () => {
  it('lists every rule, and has a page for each', () => {
    expect(explain(undefined).trim().split('\n')).toHaveLength(rules.length);
    for (const rule of rules) expect(explain(rule)).toContain('Where to look:');
    expect(() => explain('frame')).toThrow('there is no rule frame');
  });

  it('keeps its lines short enough for a terminal', () => {
    const lines = rules.flatMap((rule) => explain(rule).split('\n'));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
