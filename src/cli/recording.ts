/**
 * Recordings: what a run depended on and what became of it, in a file. The first line says the format and its version,
 * the second has the SHA-256 of the rest, which is JSON, compressed with gzip. Here they are written, which each check may have to;
 * what reading them takes to load is in a file of its own.
 */
import { gzipSync } from 'node:zlib';
import { FORMAT, sha256, VERSION } from './recording-format.js';
import type { Recording } from './recording-reader.js';

export function encodeRecording(recording: Recording): Uint8Array {
  const asText = (_: string, value: unknown): unknown =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
  const body = gzipSync(JSON.stringify(recording, asText));
  return Buffer.concat([Buffer.from(`${FORMAT} ${VERSION}\n${sha256(body)}\n`), body]);
}
