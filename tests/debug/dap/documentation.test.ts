/** What docs/vscode.md tells people to write. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { launchArguments, readLaunchArguments } from '../../../src/cli/dap/launch-arguments.js';

const text = readFileSync(new URL('../../../docs/vscode.md', import.meta.url), 'utf8');
const [extension, launchFile] = [...text.matchAll(/```json\n([^]*?)```/g)].map(([, json]) =>
  JSON.parse(json),
);

describe('docs/vscode.md', () => {
  it('has an extension that knows the launch arguments that there are', () => {
    const { properties } = extension.contributes.debuggers[0].configurationAttributes.launch;
    expect(Object.keys(properties).sort()).toEqual(Object.keys(launchArguments.shape).sort());
  });

  it('has launch configurations that can be used', () => {
    for (const configuration of launchFile.configurations) {
      expect(configuration.type).toBe(extension.contributes.debuggers[0].type);
      expect(readLaunchArguments(configuration)).toMatchObject({ ephemeral: true });
    }
  });
});
