import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import { BlockStoreError } from '../../src/devices/device.js';
import { VirtioBlk } from '../../src/devices/virtio-blk.js';
import { VirtioMmio, type VirtioVersion } from '../../src/devices/virtio-mmio.js';
import { RecordingLine, accesses, perform, range, touchEverything } from '../support/devices.js';
import {
  AVAILABLE,
  DATA,
  DESCRIPTORS,
  INDIRECT,
  NEXT,
  RAM_BASE,
  RAM_BYTES,
  TestDriver,
  TestRam,
  USED,
  WRITE,
} from '../support/virtqueue.js';

const SECTORS = 256;
const HEADER = DATA;
const STATUS = DATA + 16;
const BUFFER = DATA + 0x1000;

const IN = 0;
const OUT = 1;
const FLUSH = 4;
const GET_ID = 8;

/** Every sector is filled with its number. */
const image = () => Uint8Array.from({ length: SECTORS * 512 }, (_, index) => index >> 9);

function build({
  version = 2 as VirtioVersion,
  readOnly = false,
  store = new MemoryStore(image(), { readOnly }),
} = {}) {
  const line = new RecordingLine();
  const ram = new TestRam();
  const reasons: string[] = [];
  const failures: string[] = [];
  const device = new VirtioMmio({
    name: 'virtio0',
    line,
    memory: ram,
    version: () => version,
    backend: new VirtioBlk(store, (message) => failures.push(message)),
    onBroken: (reason) => reasons.push(reason),
  });
  return { line, ram, store, reasons, failures, device, driver: new TestDriver(device, ram) };
}

function buildStarted(options: Parameters<typeof build>[0] = {}) {
  const built = build(options);
  built.driver.start(options.version ?? 2);
  return built;
}

/** Makes one request of a header, `length` bytes at BUFFER and a status, and returns the status. */
function request(driver: TestDriver, type: number, sector: number | bigint, length: number): number {
  const data = { address: BUFFER, length, flags: type === OUT ? 0 : WRITE };
  driver.header(type, sector, HEADER);
  driver.at(STATUS, 1)[0] = 0xff;
  driver.chain([
    { address: HEADER, length: 16 },
    ...(length > 0 ? [data] : []),
    { address: STATUS, length: 1, flags: WRITE },
  ]);
  driver.offer(0);
  driver.notify();
  return driver.at(STATUS, 1)[0];
}

/** The bytes of a sector as the store has them now. */
function sectorOf(store: MemoryStore, sector: number): number[] {
  const bytes = new Uint8Array(512);
  store.read(sector, bytes);
  return [...bytes];
}

const filled = (byte: number, length = 512) => range(length).map(() => byte);

describe('the virtio transport', () => {
  test.each<VirtioVersion>([1, 2])('a disk in version %i says what it is', (version) => {
    const { driver } = build({ version });
    expect([0x000, 0x004, 0x008, 0x00c].map((at) => driver.read(at))).toEqual([
      0x7472_6976,
      version,
      2,
      0x554d_4551,
    ]);
    expect([driver.read(0x100), driver.read(0x104)]).toEqual([SECTORS, 0]);
    expect(driver.read(0x0fc)).toBe(0);
  });

  test('an empty slot has device id 0, and nothing happens in it', () => {
    const line = new RecordingLine();
    const slot = new VirtioMmio({ name: 'virtio1', line, memory: new TestRam(), version: () => 2 });
    const driver = new TestDriver(slot, new TestRam());
    driver.start(2);
    driver.notify();
    expect([0x000, 0x004, 0x008, 0x034, 0x070, 0x100].map((at) => driver.read(at))).toEqual([
      0x7472_6976, 2, 0, 0, 0, 0,
    ]);
    expect(line.calls).toEqual([]);
  });

  test('the version is asked for late, once, and survives a reset', () => {
    const asked: VirtioVersion[] = [];
    const answers: VirtioVersion[] = [1, 2];
    const device = new VirtioMmio({
      name: 'virtio0',
      line: new RecordingLine(),
      memory: new TestRam(),
      version: () => {
        asked.push(answers[asked.length]);
        return asked[asked.length - 1];
      },
      backend: new VirtioBlk(new MemoryStore(image())),
    });
    device.load(0x000, 4);
    device.load(0x008, 4);
    expect(asked).toEqual([]);
    expect(device.load(0x004, 4)).toBe(1);
    device.store(0x070, 4, 0);
    expect(device.load(0x004, 4)).toBe(1);
    expect(asked).toEqual([1]);
  });

  test.each([
    { version: 1 as const, readOnly: false, low: 0x1000_0200, high: 0 },
    { version: 2 as const, readOnly: false, low: 0x1000_0200, high: 1 },
    { version: 2 as const, readOnly: true, low: 0x1000_0220, high: 1 },
  ])('version $version, read-only $readOnly offers its features', ({ low, high, ...options }) => {
    const { driver } = build(options);
    const words = [0, 1, 2].map((select) => {
      driver.write(0x014, select);
      return driver.read(0x010);
    });
    expect(words).toEqual([low, high, 0]);
  });

  test('FEATURES_OK sticks when the features were offered, VERSION_1 or not', () => {
    for (const high of [0, 1]) {
      const { driver } = build();
      driver.write(0x020, 0x200);
      driver.write(0x024, 1);
      driver.write(0x020, high);
      driver.write(0x070, 11);
      expect(driver.read(0x070)).toBe(11);
    }
  });

  test('FEATURES_OK does not stick with a feature that was not offered', () => {
    const { driver } = build();
    driver.write(0x024, 1);
    driver.write(0x020, 2);
    driver.write(0x070, 11);
    expect(driver.read(0x070)).toBe(3);
  });

  test('features cannot be changed after FEATURES_OK', () => {
    const { driver } = build();
    driver.write(0x070, 11);
    driver.write(0x020, 2);
    driver.write(0x070, 15);
    expect(driver.read(0x070)).toBe(15);
  });

  test('queue 0 may have 1024 entries, and there is no other', () => {
    const { driver } = buildStarted();
    expect([driver.read(0x034), driver.read(0x044)]).toEqual([1024, 1]);
    driver.write(0x030, 1);
    expect([driver.read(0x034), driver.read(0x044)]).toEqual([0, 0]);
    driver.write(0x044, 0);
    driver.write(0x030, 0);
    expect(driver.read(0x044)).toBe(1);
  });

  test('each version keeps to its own queue registers', () => {
    const legacy = buildStarted({ version: 1 }).driver;
    expect([legacy.read(0x040), legacy.read(0x044)]).toEqual([DESCRIPTORS / 4096, 0]);
    const modern = buildStarted().driver;
    expect([modern.read(0x040), modern.read(0x044)]).toEqual([0, 1]);
  });

  test('version 2 has no shared memory', () => {
    expect([0x0b0, 0x0b4].map((at) => build().driver.read(at))).toEqual([0xffff_ffff, 0xffff_ffff]);
  });

  test('a legacy queue is laid out by QueueAlign', () => {
    const { driver, ram } = build({ version: 1 });
    driver.start(1);
    driver.write(0x03c, 4);
    driver.write(0x040, DESCRIPTORS / 4096);
    request(driver, IN, 3, 512);
    // 128 bytes of descriptors and 22 of the available ring end at 150: the used ring is at 152.
    expect(ram.view.getUint16(152 + 2, true)).toBe(1);
    expect(driver.usedIndex).toBe(0);
  });

  test('the interrupt rises with the used ring, and falls when it is acknowledged', () => {
    const { line, driver } = buildStarted();
    request(driver, IN, 0, 512);
    expect([line.level, driver.read(0x060)]).toEqual([true, 1]);
    driver.write(0x064, 2);
    expect(line.level).toBe(true);
    driver.write(0x064, 1);
    expect([line.level, driver.read(0x060)]).toEqual([false, 0]);
  });

  test('an interrupt that nobody acknowledges is raised again by the next request', () => {
    const { line, driver } = buildStarted();
    request(driver, IN, 0, 512);
    line.calls = [];
    request(driver, IN, 0, 512);
    expect(line.calls).toEqual([true]);
  });

  test('a driver that wants no interrupt gets none', () => {
    const { line, ram, driver } = buildStarted();
    ram.view.setUint16(AVAILABLE - RAM_BASE, 1, true);
    expect(request(driver, IN, 0, 512)).toBe(0);
    expect([line.level, driver.read(0x060), driver.usedIndex]).toEqual([false, 0, 1]);
  });

  test('writing 0 to Status resets the device, and it can be started again', () => {
    const { line, ram, driver } = buildStarted();
    request(driver, IN, 0, 512);
    driver.write(0x070, 0);
    expect([0x044, 0x060, 0x070].map((at) => driver.read(at))).toEqual([0, 0, 0]);
    expect(line.level).toBe(false);
    ram.bytes.fill(0);
    driver.start(2);
    expect(request(driver, IN, 5, 512)).toBe(0);
    expect(driver.usedIndex).toBe(1);
  });

  test('a queue that is stopped and made ready again starts with empty rings', () => {
    const { ram, driver } = buildStarted();
    request(driver, IN, 0, 512);
    driver.write(0x044, 0);
    ram.bytes.fill(0);
    driver.write(0x044, 1);
    expect(request(driver, IN, 5, 512)).toBe(0);
    expect(driver.used(0)).toEqual({ head: 0, length: 513 });
    expect(driver.usedIndex).toBe(1);
  });

  test('every width at every offset is answered, in both versions and in an empty slot', () => {
    for (const version of [1, 2] as const) {
      const { device } = buildStarted({ version });
      touchEverything(device, range(device.size));
    }
    const slot = new VirtioMmio({
      name: 'virtio1',
      line: new RecordingLine(),
      memory: new TestRam(),
      version: () => 2,
    });
    touchEverything(slot, range(slot.size));
  });

  test('registers other than the configuration are words', () => {
    const { device, driver } = buildStarted();
    device.store(0x070, 1, 0);
    device.store(0x070, 2, 0);
    expect(driver.read(0x070)).toBe(15);
    expect([device.load(0x000, 1), device.load(0x070, 2)]).toEqual([0, 0]);
  });

  test('the configuration is read at any width', () => {
    const { device } = build({ store: new MemoryStore(new Uint8Array(512 * 0x1234)) });
    expect([device.load(0x100, 1), device.load(0x101, 1), device.load(0x100, 2)]).toEqual([
      0x34, 0x12, 0x1234,
    ]);
    expect([device.load(0x100, 4), device.load(0x106, 2), device.load(0x108, 4)]).toEqual([0x1234, 0, 0]);
  });
});

describe.each<VirtioVersion>([1, 2])('the disk, in version %i', (version) => {
  test('reads sectors and hands the chain back', () => {
    const { driver } = buildStarted({ version });
    expect(request(driver, IN, 5, 1024)).toBe(0);
    expect([...driver.at(BUFFER, 1024)]).toEqual([...filled(5), ...filled(6)]);
    expect(driver.usedIndex).toBe(1);
    expect(driver.used(0)).toEqual({ head: 0, length: 1025 });
  });

  test('writes sectors, and only those', () => {
    const { driver, store } = buildStarted({ version });
    driver.at(BUFFER, 1024).fill(0xab);
    expect(request(driver, OUT, 5, 1024)).toBe(0);
    expect([4, 5, 6, 7].map((sector) => sectorOf(store, sector)[511])).toEqual([4, 0xab, 0xab, 7]);
    expect(driver.used(0)).toEqual({ head: 0, length: 1 });
  });

  test('serves all that waits, round and round the rings', () => {
    const { driver } = buildStarted({ version });
    for (let index = 0; index < 70_000; index++) request(driver, GET_ID, 0, 20);
    expect(driver.usedIndex).toBe(70_000 % 65_536);
    driver.offer(0);
    driver.offer(0);
    driver.notify();
    expect(driver.usedIndex).toBe((70_000 % 65_536) + 2);
  });
});

describe('the disk', () => {
  test('answers GET_ID with its name, filled up with zeros and cut to the buffer', () => {
    const { driver } = buildStarted();
    driver.at(BUFFER, 32).fill(0xff);
    expect(request(driver, GET_ID, 0, 20)).toBe(0);
    expect(new TextDecoder().decode(driver.at(BUFFER, 20))).toBe('rvemu'.padEnd(20, '\0'));
    expect(driver.at(BUFFER, 21)[20]).toBe(0xff);
    driver.at(BUFFER, 32).fill(0xff);
    expect(request(driver, GET_ID, 0, 2)).toBe(0);
    expect([...driver.at(BUFFER, 3)]).toEqual([0x72, 0x76, 0xff]);
  });

  test('flushes its store', () => {
    const store = new MemoryStore(image());
    let flushes = 0;
    store.flush = () => flushes++;
    const { driver } = buildStarted({ store });
    expect(request(driver, FLUSH, 0, 0)).toBe(0);
    expect(flushes).toBe(1);
  });

  test('a request of a type that it does not know is unsupported', () => {
    const { driver } = buildStarted();
    expect(request(driver, 11, 0, 512)).toBe(2);
    expect(driver.usedIndex).toBe(1);
  });

  test.each([
    { what: 'a read past the end', type: IN, sector: SECTORS, length: 512 },
    { what: 'a read that runs over the end', type: IN, sector: SECTORS - 1, length: 1024 },
    { what: 'a read from far beyond', type: IN, sector: 0xffff_ffff_ffff_ffffn, length: 512 },
    { what: 'a write past the end', type: OUT, sector: SECTORS, length: 512 },
    { what: 'a read of half a sector', type: IN, sector: 0, length: 256 },
    { what: 'a write of half a sector', type: OUT, sector: 0, length: 768 },
  ])('$what is an I/O error and moves nothing', ({ type, sector, length }) => {
    const { driver, store } = buildStarted();
    driver.at(BUFFER, length).fill(0xab);
    expect(request(driver, type, sector, length)).toBe(1);
    expect([...driver.at(BUFFER, length)]).toEqual(filled(0xab, length));
    expect(store.state()).toEqual({ changedSectors: [] });
    expect(driver.read(0x070)).toBe(15);
  });

  test('a write to a read-only disk is an I/O error, a read is not', () => {
    const { driver, store } = buildStarted({ readOnly: true });
    expect(request(driver, OUT, 0, 512)).toBe(1);
    expect(request(driver, IN, 7, 512)).toBe(0);
    expect(sectorOf(store, 0)).toEqual(filled(0));
  });

  test.each([
    { method: 'read' as const, type: IN, length: 512 },
    { method: 'write' as const, type: OUT, length: 512 },
    { method: 'flush' as const, type: FLUSH, length: 0 },
  ])('a host that fails to $method is an I/O error', ({ method, type, length }) => {
    const store = new MemoryStore(image());
    store[method] = () => {
      throw new BlockStoreError('no space left on the host');
    };
    const { driver } = buildStarted({ store });
    expect(request(driver, type, 0, length)).toBe(1);
    expect(driver.usedIndex).toBe(1);
  });

  test('what the host failed at is told, once as long as it stays the same', () => {
    const store = new MemoryStore(image());
    store.write = () => {
      throw new BlockStoreError('no space left on the host');
    };
    const { driver, failures } = buildStarted({ store });
    expect(request(driver, OUT, 0, 512)).toBe(1);
    expect(request(driver, OUT, 0, 512)).toBe(1);
    expect(failures).toEqual(['no space left on the host']);
  });

  test('a bug in a store is not passed off as an I/O error', () => {
    const store = new MemoryStore(image());
    store.read = () => {
      throw new TypeError('bug');
    };
    expect(() => request(buildStarted({ store }).driver, IN, 0, 512)).toThrow(TypeError);
  });

  test('the last sector belongs to the disk', () => {
    const { driver } = buildStarted();
    expect(request(driver, IN, SECTORS - 2, 1024)).toBe(0);
    expect([...driver.at(BUFFER + 512, 512)]).toEqual(filled(SECTORS - 1));
  });

  test('transfers longer than one piece of work arrive whole', () => {
    const { driver, store } = buildStarted();
    const length = 130 * 512;
    expect(request(driver, IN, 60, length)).toBe(0);
    expect([...driver.at(BUFFER, length)]).toEqual(range(130).flatMap((index) => filled(60 + index)));
    expect(request(driver, OUT, 0, length)).toBe(0);
    expect([0, 127, 128, 129, 130].map((sector) => sectorOf(store, sector)[0])).toEqual([
      60, 187, 188, 189, 130,
    ]);
  });

  test('a header and data split anywhere, status beside the data, make the same request', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 16 + 1023 }), { maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(IN, OUT), cuts, fc.boolean(), (type, cutPoints, indirect) => {
        const { driver, store } = buildStarted();
        const readable = type === OUT ? 16 + 1024 : 16;
        const total = 16 + 1024 + 1;
        driver.header(type, 9, DATA);
        driver.at(DATA + 16, 1024).fill(0xcd);
        const edges = [...new Set([0, readable, total, ...cutPoints])].sort((a, b) => a - b);
        const descriptors = edges.slice(1).map((end, index) => ({
          address: DATA + edges[index],
          length: end - edges[index],
          flags: edges[index] < readable ? 0 : WRITE,
        }));
        if (indirect) {
          const table = RAM_BASE + 0x1_0000;
          driver.chain(descriptors, { table });
          driver.describe([{ address: table, length: 16 * descriptors.length, flags: INDIRECT }]);
        } else {
          driver.chain(descriptors);
        }
        driver.offer(0);
        driver.notify();
        expect(driver.at(DATA + total - 1, 1)[0]).toBe(0);
        if (type === IN) expect([...driver.at(DATA + 16, 1024)]).toEqual([...filled(9), ...filled(10)]);
        else expect(sectorOf(store, 10)).toEqual(filled(0xcd));
      }),
    );
  });

  test('an indirect descriptor may end a chain of others', () => {
    const { driver } = buildStarted();
    const table = RAM_BASE + 0x1_0000;
    driver.header(IN, 4);
    driver.chain([
      { address: HEADER, length: 16 },
      { address: table, length: 32, flags: INDIRECT },
    ]);
    driver.chain(
      [
        { address: BUFFER, length: 512, flags: WRITE },
        { address: STATUS, length: 1, flags: WRITE },
      ],
      { table },
    );
    driver.offer(0);
    driver.notify();
    expect(driver.used(0)).toEqual({ head: 0, length: 513 });
    expect([...driver.at(BUFFER, 512)]).toEqual(filled(4));
  });
});

describe('a driver that breaks the rules', () => {
  const header = { address: HEADER, length: 16 };
  const status = { address: STATUS, length: 1, flags: WRITE };
  const table = RAM_BASE + 0x1_0000;

  test.each<{ what: string; says: string; prepare: (driver: TestDriver) => void }>([
    {
      what: 'a chain that comes back to itself',
      says: 'the chain of descriptors from 0 never ends',
      prepare: (driver) => driver.describe([{ ...header, flags: NEXT, next: 0 }]),
    },
    {
      what: 'an indirect chain that comes back to itself',
      says: 'the chain of descriptors from 0 never ends',
      prepare: (driver) => {
        driver.describe([{ address: table, length: 16, flags: INDIRECT }]);
        driver.describe([{ ...header, flags: NEXT, next: 0 }], { table });
      },
    },
    {
      what: 'a head beyond the queue',
      says: 'descriptor 8 is beyond the 8 of its table',
      prepare: (driver) => driver.ram.view.setUint16(AVAILABLE - RAM_BASE + 4, 8, true),
    },
    {
      what: 'a next descriptor beyond the queue',
      says: 'descriptor 65535 is beyond the 8 of its table',
      prepare: (driver) => driver.describe([{ ...header, flags: NEXT, next: 65535 }]),
    },
    {
      what: 'a buffer outside RAM',
      says: 'descriptor 1 (512 bytes at 0x1000) points outside RAM',
      prepare: (driver) => driver.chain([header, { address: 0x1000, length: 512, flags: WRITE }, status]),
    },
    {
      what: 'a buffer that runs over the end of the address space',
      says: 'descriptor 0 (512 bytes at 0xffffffffffffff00) points outside RAM',
      prepare: (driver) => driver.chain([{ address: 0xffff_ffff_ffff_ff00n, length: 512 }, status]),
    },
    {
      what: 'a buffer of four gigabytes',
      says: 'descriptor 0 (4294967295 bytes at 0x80002000) points outside RAM',
      prepare: (driver) => driver.chain([{ address: HEADER, length: 0xffff_ffff }, status]),
    },
    {
      what: 'an empty buffer',
      says: 'descriptor 1 (0 bytes at 0x80003000) is empty',
      prepare: (driver) => driver.chain([header, { address: BUFFER, length: 0, flags: WRITE }, status]),
    },
    {
      what: 'a buffer to be read after one to be written',
      says: 'descriptor 2 (512 bytes at 0x80003000) is to be read but follows one to be written',
      prepare: (driver) => driver.chain([header, status, { address: BUFFER, length: 512 }]),
    },
    {
      what: 'an indirect table in an indirect table',
      says: 'descriptor 0 is indirect in an indirect table',
      prepare: (driver) => {
        driver.describe([{ address: table, length: 16, flags: INDIRECT }]);
        driver.describe([{ address: table, length: 16, flags: INDIRECT }], { table });
      },
    },
    {
      what: 'an indirect descriptor with a next one',
      says: 'descriptor 0 is indirect and has a next one too',
      prepare: (driver) => driver.describe([{ address: table, length: 16, flags: INDIRECT | NEXT, next: 1 }]),
    },
    ...[0, 24, 16 * 1025].map((length) => ({
      what: `an indirect table of ${length} bytes`,
      says: `the indirect table of descriptor 0 is ${length} bytes long`,
      prepare: (driver: TestDriver) => driver.describe([{ address: table, length, flags: INDIRECT }]),
    })),
    {
      what: 'an indirect table outside RAM',
      says: 'descriptor 0, at 0x10, is outside RAM',
      prepare: (driver) => driver.describe([{ address: 0x10, length: 16, flags: INDIRECT }]),
    },
    {
      what: 'a request shorter than its header',
      says: 'a disk request of 15 bytes is shorter than its header',
      prepare: (driver) => driver.chain([{ address: HEADER, length: 15 }, status]),
    },
    {
      what: 'a request without a status byte',
      says: 'a disk request has no room for its status',
      prepare: (driver) => driver.chain([header]),
    },
    {
      what: 'an available index that runs ahead',
      says: 'the available index 9 is 9 ahead, in a queue of 8',
      prepare: (driver) => driver.ram.view.setUint16(AVAILABLE - RAM_BASE + 2, 9, true),
    },
    {
      what: 'a queue that is not ready',
      says: 'the queue is not ready',
      prepare: (driver) => driver.write(0x044, 0),
    },
    ...[0, 6, 2048, 0xffff_ffff].map((size) => ({
      what: `a queue of ${size}`,
      says: `the queue's size of ${size} is not a power of two up to 1024`,
      prepare: (driver: TestDriver) => driver.write(0x038, size),
    })),
    {
      what: 'descriptors outside RAM',
      says: 'descriptor 0, at 0xff80000000, is outside RAM',
      prepare: (driver) => driver.write(0x084, 0xff),
    },
    {
      what: 'an available ring outside RAM',
      says: 'the available ring at 0x1080000080 is outside RAM',
      prepare: (driver) => driver.write(0x094, 0x10),
    },
    {
      what: 'an available ring that runs out of RAM',
      says: 'entry 0 of the available ring, at 0x80020000, is outside RAM',
      prepare: (driver) => {
        driver.ram.view.setUint16(RAM_BYTES - 2, 1, true);
        driver.write(0x090, RAM_BASE + RAM_BYTES - 4);
      },
    },
    {
      what: 'a used ring outside RAM',
      says: 'the used ring at 0x0 is outside RAM',
      prepare: (driver) => {
        driver.chain([header, status]);
        driver.write(0x0a0, 0);
      },
    },
    {
      what: 'a notification before DRIVER_OK',
      says: 'the queue was notified before the driver set DRIVER_OK',
      prepare: (driver) => driver.write(0x070, 11),
    },
  ])('$what leaves the device in need of a reset, and says so', ({ says, prepare }) => {
    const { driver, line, reasons } = buildStarted();
    driver.offer(0);
    prepare(driver);
    driver.notify();
    expect(reasons).toEqual([`virtio0: ${says}`]);
    expect(driver.read(0x070) & 64).toBe(64);
    expect([line.level, driver.read(0x060), driver.usedIndex]).toEqual([true, 2, 0]);
    driver.notify();
    driver.write(0x070, 15);
    expect(reasons.length).toBe(1);
    expect(driver.read(0x070)).toBe(79);
    driver.ram.bytes.fill(0);
    driver.start(2);
    expect(driver.read(0x070)).toBe(15);
    expect(request(driver, IN, 5, 512)).toBe(0);
  });

  test('a notification of a queue that is not there is told, too', () => {
    const { driver, reasons } = buildStarted();
    driver.notify(1);
    expect(reasons).toEqual(['virtio0: there is no queue 1 to notify']);
  });

  test('what was served before the rule was broken stays served', () => {
    const { driver } = buildStarted();
    request(driver, IN, 3, 512);
    driver.offer(0);
    driver.offer(7);
    driver.describe([{ address: 0, length: 1 }], { first: 7 });
    driver.notify();
    expect([driver.usedIndex, driver.read(0x060)]).toEqual([2, 3]);
  });

  test('a legacy driver may notify before DRIVER_OK', () => {
    const { driver } = buildStarted({ version: 1 });
    driver.write(0x070, 11);
    expect(request(driver, IN, 5, 512)).toBe(0);
  });

  test('a request that makes more requests available does not keep the device busy', () => {
    const bytes = image();
    // Read over the available ring, this sector says that eight more chains are waiting.
    new DataView(bytes.buffer).setUint16(2, 9, true);
    const { driver } = buildStarted({ store: new MemoryStore(bytes) });
    driver.header(IN, 0);
    driver.chain([
      { address: HEADER, length: 16 },
      { address: AVAILABLE, length: 512, flags: WRITE },
      { address: STATUS, length: 1, flags: WRITE },
    ]);
    driver.offer(0);
    driver.notify();
    expect(driver.usedIndex).toBe(1);
    driver.notify();
    expect(driver.usedIndex).toBe(9);
  });
});

describe('a guest that does anything at all', () => {
  const registers = [
    0x004, 0x010, 0x014, 0x020, 0x024, 0x028, 0x030, 0x034, 0x038, 0x03c, 0x040, 0x044, 0x050, 0x050, 0x050,
    0x060, 0x064, 0x070, 0x080, 0x084, 0x090, 0x0a0, 0x100,
  ];
  const storm = accesses(0x1000, registers);
  const version = fc.constantFrom<VirtioVersion>(1, 2);
  const address = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.integer({ min: 0, max: 0x4000 }).map((offset) => BigInt(RAM_BASE + offset)),
    },
    { weight: 2, arbitrary: fc.constantFrom(DESCRIPTORS, AVAILABLE, USED).map(BigInt) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }) },
  );
  const descriptor = fc.record({
    address,
    length: fc.oneof(fc.constantFrom(1, 16, 128, 512, 1024), fc.integer({ min: 0, max: 0xffff_ffff })),
    flags: fc.oneof({ weight: 4, arbitrary: fc.nat(7) }, { weight: 1, arbitrary: fc.nat(0xffff) }),
    next: fc.nat(9),
  });

  test('does not make a started device throw by its registers', () => {
    fc.assert(
      fc.property(version, storm, (chosen, accesses) => {
        perform(buildStarted({ version: chosen }).device, accesses);
      }),
    );
  });

  test('does not make it throw by its descriptors and rings', () => {
    fc.assert(
      fc.property(
        version,
        fc.array(descriptor, { minLength: 8, maxLength: 8 }),
        fc.array(fc.nat(8), { minLength: 1, maxLength: 9 }),
        fc.nat(9),
        fc.nat(SECTORS + 1),
        (chosen, descriptors, heads, type, sector) => {
          const { driver } = buildStarted({ version: chosen });
          // Wherever the chains begin, they find a header as likely as not.
          for (let at = 0x2000; at < 0x4000; at += 16) driver.header(type, sector, RAM_BASE + at);
          driver.describe(descriptors);
          heads.forEach((head) => driver.offer(head));
          driver.notify();
          driver.notify();
          expect(driver.read(0x070) & ~64).toBe(15);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('gets from a restored disk what it would have got from the saved one', () => {
    const started = (chosen: VirtioVersion) => buildStarted({ version: chosen });
    fc.assert(
      fc.property(version, storm, fc.boolean(), storm, (chosen, before, serve, after) => {
        const original = started(chosen);
        original.driver.at(BUFFER, 512).fill(0xab);
        if (serve) request(original.driver, OUT, 3, 512);
        perform(original.device, before);
        const copy = build({ version: chosen });
        copy.ram.bytes.set(original.ram.bytes);
        copy.device.restore(structuredClone(original.device.state()));
        copy.store.restore(structuredClone(original.store.state()));
        expect(copy.line.calls).toEqual([]);
        original.line.calls = [];
        for (const { device, driver } of [original, copy]) {
          driver.offer(0);
          driver.notify();
          perform(device, after);
        }
        expect(copy.line.calls).toEqual(original.line.calls);
        expect(Buffer.compare(copy.ram.bytes, original.ram.bytes)).toBe(0);
        expect(copy.device.state()).toEqual(original.device.state());
        expect(perform(copy.device, after)).toEqual(perform(original.device, after));
        expect(sectorOf(copy.store, 3)).toEqual(sectorOf(original.store, 3));
      }),
    );
  });

  test('keeps the version through saving, so that it is not asked for again', () => {
    const original = build({ version: 1 });
    const unasked = original.device.state();
    original.driver.read(0x004);
    const copy = build({ version: 2 });
    copy.device.restore(original.device.state());
    expect(copy.driver.read(0x004)).toBe(1);
    const fresh = build({ version: 2 });
    fresh.device.restore(unasked);
    expect(fresh.driver.read(0x004)).toBe(2);
  });

  test('does not change a saved state', () => {
    const { device, driver } = buildStarted();
    const saved = device.state();
    const asSaved = structuredClone(saved);
    request(driver, OUT, 0, 512);
    driver.write(0x070, 0);
    expect(saved).toEqual(asSaved);
  });
});
