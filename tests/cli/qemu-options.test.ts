import { describe, expect, test } from 'vitest';
import { readQemuCommand } from '../../src/cli/qemu-options.js';

const read = (line: string) => readQemuCommand(line.split(' '));

test('a lab’s command line means what it means to QEMU', () => {
  const command = read(
    '-machine virt -bios none -kernel kernel/kernel -m 256M -smp 3 -nographic ' +
      '-global virtio-mmio.force-legacy=false -drive file=fs.img,if=none,format=raw,id=x0 ' +
      '-device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0 -S -gdb tcp::26000',
  );
  expect(command).toMatchObject({
    kernel: 'kernel/kernel',
    memoryBytes: 256 * 1024 ** 2,
    harts: 3,
    virtio: 'modern',
    disk: 'x0',
    keepsWritesInMemory: false,
    debugger: { host: '', port: 26000 },
    waitsForDebugger: true,
    notices: [],
  });
  expect(command.drives.get('x0')).toEqual({ file: 'fs.img', keepsWritesInMemory: false });
});

test('what is not said is as QEMU has it: one hart, 128 MiB, a disk of version 1, no debugger', () => {
  expect(read('-kernel k')).toMatchObject({ harts: 1, memoryBytes: 128 * 1024 ** 2, virtio: 'legacy' });
  expect(read('-kernel k').debugger).toBeUndefined();
});

test.each([
  ['--smp 2', { harts: 2 }],
  ['-smp cpus=2,sockets=1', { harts: 2 }],
  ['-m 64', { memoryBytes: 64 * 1024 ** 2 }],
  ['-m size=1G,slots=2', { memoryBytes: 1024 ** 3 }],
  ['-snapshot', { keepsWritesInMemory: true }],
  ['-s', { debugger: { host: '', port: 1234 } }],
  ['-s -p 26000', { debugger: { host: '', port: 26000 } }],
  ['-p 26000 -s', { debugger: { host: '', port: 26000 } }],
  ['-gdb tcp:localhost:4', { debugger: { host: '', port: 4 } }],
  ['-gdb tcp:127.0.0.1:4,server,nowait', { debugger: { host: '127.0.0.1', port: 4 } }],
  ['-global virtio-mmio.force-legacy=true', { virtio: 'legacy' }],
  ['-d int,in_asm', { trace: 'traps,instructions' }],
  ['-seed 7', { seed: 7 }],
  ['-machine virt,accel=tcg -serial mon:stdio -monitor none -display none -cpu rv64,pmp=false', {}],
  ['-verbose', { verbose: true }],
  ['-smp 2 --version -nonsense', { shows: 'version' }],
  ['-h', { shows: 'help' }],
  ['--help', { shows: 'help' }],
])('%s is understood', (line, expected) => {
  expect(read(line)).toMatchObject(expected);
});

test('options that mean nothing here are accepted and remembered, with their values', () => {
  expect(read('-nographic -icount shift=0 -kernel k').ignored).toEqual([
    expect.stringMatching(/^-nographic: /),
    expect.stringMatching(/^-icount shift=0: /),
  ]);
});

test.each(['e1000,netdev=net0,bus=pcie.0', 'virtio-net-device,netdev=net0'])(
  'a network card (%s) is left out, and the user is told',
  (card) => {
    const { notices } = read(`-netdev user,id=net0 -device ${card}`);
    expect(notices).toEqual([expect.stringContaining(`-device ${card.split(',')[0]} is left out`)]);
  },
);

test('a file name with commas is written as QEMU wants it', () => {
  const { drives } = read('-drive file=a,,b.img,if=none,id=x0');
  expect(drives.get('x0')?.file).toBe('a,b.img');
});

describe('is refused, with its name', () => {
  test.each([
    ['-snapshto', /QEMU option -snapshto is not known here; did you mean -snapshot\?/],
    ['--nograpic', /--nograpic is not known here; did you mean -nographic\?/],
    ['-initrd x', /-initrd is not known here; those that are known are listed by -help/],
    ['fs.img', /"fs\.img" belongs to no option/],
    ['-kernel', /-kernel needs a value: -kernel FILE/],
    ['-smp 9', /-smp 9: .* 1 to 8/],
    ['-m lots', /-m lots: .*128M/],
    ['-machine spike', /-machine spike: .*virt/],
    ['-bios default', /-bios default: .*none/],
    ['-serial pty', /-serial pty: .*stdio/],
    ['-gdb udp::5', /-gdb udp::5: .*tcp::PORT/],
    ['-gdb tcp::65536', /0 to 65535/],
    ['-d op', /-d op: .*int/],
    ['-device virtio-gpu-device', /-device virtio-gpu-device: .*virtio-blk-device/],
    ['-device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.1', /one disk, on virtio-mmio-bus\.0/],
    ['-device virtio-blk-device,drive=x7', /no -drive has id=x7/],
    ['-drive if=none,id=x0', /no file=FILE/],
    ['-drive file=fs.img', /if=none,id=NAME/],
    ['-drive file=fs.img,if=none,id=x0,format=qcow2', /format=raw/],
    ['-drive file=fs.img,if=none,id=x0,readonly=on', /-snapshot/],
  ])('%s', (line, message) => {
    expect(() => read(line)).toThrow(message);
  });
});
