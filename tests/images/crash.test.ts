/** What the disk holds when the machine stops in mid-write: the log must make it sound, whenever that is. */
import { beforeAll, describe, expect, test } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import { SECTOR_BYTES } from '../../src/devices/device.js';
import { Image, readFile } from '../../scripts/fs/format.js';
import { checkImage, recover } from '../../scripts/fs/fsck.js';
import { bootImage, fileSystemImage, runUntil } from '../support/images.js';

const PROMPT = '\n$ ';

/** Files and directories come and go, in two processes at once, so that their transactions form groups. */
const WORK = [
  '(cat < fstest > a; ln a b; rm a; mkdir d; echo x > d/e; rm b) & (mkdir f; cat < README > f/g; cat < sh > h; rm f/g)',
  '(rm f; cat < mmaptest > l; rm l) & (ln h i; rm h; cat < ls > m; echo more >> i; cat < grep > i)',
  'echo done > k',
];

/** A disk that remembers each sector written, in order. */
class RecordingStore extends MemoryStore {
  readonly writes: { sector: number; bytes: Uint8Array }[] = [];

  override write(sector: number, from: Uint8Array): void {
    super.write(sector, from);
    for (let offset = 0; offset < from.length; offset += SECTOR_BYTES) {
      this.writes.push({ sector: sector + offset / SECTOR_BYTES, bytes: from.slice(offset, offset + SECTOR_BYTES) });
    }
  }
}

function boot(disk: MemoryStore, harts: number, seed: number) {
  const { machine, text } = bootImage({ disk, harts, seed });
  runUntil(machine, text, PROMPT, 1e10);
  return { machine, text };
}

/** The sectors that the kernel writes while it does the work. */
function record(harts: number, seed: number): RecordingStore['writes'] {
  const disk = new RecordingStore(fileSystemImage);
  const { machine, text } = boot(disk, harts, seed);
  for (const line of WORK) {
    const start = text().length;
    machine.type(`${line}\n`);
    runUntil(machine, () => text().slice(start), PROMPT, 1e10);
  }
  return disk.writes;
}

/** Calls `visit` with the disk after each of the writes; it must not change what it gets. */
function replay(writes: RecordingStore['writes'], visit: (image: Uint8Array, count: number) => void): void {
  const image = new Uint8Array(fileSystemImage);
  writes.forEach(({ sector, bytes }, index) => {
    image.set(bytes, sector * SECTOR_BYTES);
    visit(image, index + 1);
  });
}

function logIsFull(image: Uint8Array): boolean {
  return new Image(image).word(2, 0) > 0;
}

describe.each([
  [1, 1],
  [3, 2],
])('a machine of %i harts that stops in mid-write', (harts, seed) => {
  let writes: RecordingStore['writes'] = [];
  beforeAll(() => {
    writes = record(harts, seed);
  }, 300_000);

  test('leaves a disk that the log makes sound, after every single sector', { timeout: 300_000 }, () => {
    const broken: string[] = [];
    let toReplay = 0;
    let last = fileSystemImage;
    replay(writes, (image, count) => {
      if (logIsFull(image)) toReplay++;
      const problems = checkImage(image);
      if (problems.length > 0) broken.push(`after ${count} of ${writes.length} sectors: ${problems.join('; ')}`);
      last = image;
    });
    expect(broken).toEqual([]);
    expect(toReplay).toBeGreaterThan(100); // the work was of a kind that tests the log
    expect(new TextDecoder().decode(readFile(last, 'k'))).toBe('done\n');
  });

  test('recovers at its next boot', { timeout: 300_000 }, () => {
    const stops: Uint8Array[] = [];
    replay(writes, (image, count) => {
      if (logIsFull(image) && count % 97 === 0 && stops.length < 3) stops.push(image.slice());
    });
    expect(stops.length).toBeGreaterThan(0);
    for (const image of stops) {
      const disk = new MemoryStore(image);
      boot(disk, harts, seed);
      const after = new Uint8Array(image.length);
      disk.read(0, after);
      expect(checkImage(after)).toEqual([]);
      expect(logIsFull(after)).toBe(false);
      const expected = readFile(recover(image), 'README');
      expect(Buffer.compare(readFile(after, 'README')!, expected!)).toBe(0);
    }
  });
});
