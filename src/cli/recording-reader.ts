/** What is in a recording, and how it is read: see recording.ts. */
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { BadInputError } from '../machine/errors.js';
import { FORMAT, sha256, VERSION } from './recording-format.js';

const bytes = z.base64().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'base64')));
const count = z.number().int().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const shape = z.object({
  /** The version of rvemu that made it. */
  rvemu: z.string(),
  command: z.enum(['boot', 'check']),
  kernel: z.object({ path: z.string(), sha256: digest }),
  /** With what the sectors held that the run wrote to, for the image may have been written since. */
  disk: z
    .object({ path: z.string(), sha256: digest, overwritten: z.array(z.tuple([count, bytes])) })
    .optional(),
  machine: z.object({
    harts: z.number(),
    memoryBytes: z.number(),
    seed: z.number(),
    virtio: z.enum(['auto', 'legacy', 'modern']),
    strictTlb: z.boolean(),
  }),
  /** With the instructions that the harts had executed by then. */
  input: z.array(z.object({ at: count, instructions: count, bytes })),
  end: z.object({
    /** See Moment: in the middle of a round of slices where the guest ended the run itself, or gdb did. */
    moment: z.object({ completed: count, turn: z.number().int(), steps: count }),
    instructions: count,
    exitCode: z.number(),
    /** Hashes of the state by its parts. */
    parts: z.record(z.string(), z.string()),
  }),
});

export type Recording = z.output<typeof shape>;

/** Reads what `encodeRecording` wrote. `path` is for messages. Throws BadInputError for anything else. */
export function decodeRecording(file: Uint8Array, path: string): Recording {
  const [, version, checksum] = /^rvemu recording (\d+)\n([0-9a-f]{64})\n/.exec(latin1(file)) ?? [];
  if (version === undefined) {
    const isOne = latin1(file).startsWith(FORMAT);
    throw new BadInputError(
      isOne ? damaged(path) : `${path} is no recording; "rvemu boot --record FILE" makes one`,
    );
  }
  if (Number(version) !== VERSION) {
    throw new BadInputError(
      `${path} is a recording of version ${version}, and this rvemu reads version ${VERSION}; record the run again`,
    );
  }
  const body = file.subarray(latin1(file).indexOf('\n', FORMAT.length + version.length + 2) + 1);
  if (sha256(body) !== checksum) throw new BadInputError(damaged(path));
  const parsed = shape.safeParse(JSON.parse(gunzipSync(body).toString()));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BadInputError(`${path} is no recording: ${issue.path.join('.')}: ${issue.message}`);
}

const damaged = (path: string): string =>
  `recording ${path} is damaged: its contents do not fit its checksum; copy it or record the run again`;

/** The first bytes, which are text. */
const latin1 = (file: Uint8Array): string => Buffer.from(file.subarray(0, 128)).toString('latin1');
