/** `-drive` and `-device` of QEMU's command line, whose values are lists of properties. */
import { InvalidArgumentError } from 'commander';
import type { QemuCommand } from './qemu-command.js';

/** Cards that a lab's Makefile may put in, for a kernel that may not care. */
const NETWORK_CARDS = /^(e1000|e1000e|rtl8139|virtio-net|virtio-net-pci|virtio-net-device)$/;

/** The items of a list; a comma in one of them is written twice. */
const itemsOf = (list: string): string[] =>
  list
    .replaceAll(',,', '\0')
    .split(',')
    .map((item) => item.replaceAll('\0', ','));

/** What a list begins with. */
export const firstOf = (list: string): string => itemsOf(list)[0];

/** Values by name; a name alone has the value `on`. */
function propertiesOf(items: string[]): Map<string, string> {
  return new Map(
    items.map((item) => {
      const [name, ...value] = item.split('=');
      return [name, value.length === 0 ? 'on' : value.join('=')];
    }),
  );
}

/** Remembers a drive under its id. How its file is cached is for the host to decide. Throws InvalidArgumentError. */
export function defineDrive(command: QemuCommand, value: string): void {
  const properties = propertiesOf(itemsOf(value));
  const [file, id] = [properties.get('file'), properties.get('id')];
  if (file === undefined) throw new InvalidArgumentError('It has no file=FILE.');
  if (properties.get('if') !== 'none' || id === undefined) {
    throw new InvalidArgumentError('Write if=none,id=NAME, and -device virtio-blk-device,drive=NAME.');
  }
  if ((properties.get('format') ?? 'raw') !== 'raw') {
    throw new InvalidArgumentError('Disk images have format=raw; "qemu-img convert -O raw" makes one.');
  }
  if (/^(on|yes)$/.test(properties.get('readonly') ?? 'off')) {
    throw new InvalidArgumentError('Drives can be written; with -snapshot the file stays as it is.');
  }
  const keepsWritesInMemory = /^(on|yes)$/.test(properties.get('snapshot') ?? 'off');
  command.drives.set(id, { file, keepsWritesInMemory });
}

/** Puts a device into the machine, or notes that there is none like it. Throws InvalidArgumentError. */
export function attach(command: QemuCommand, value: string): void {
  const [name, ...rest] = itemsOf(value);
  const driver = name.replace(/^driver=/, '');
  if (NETWORK_CARDS.test(driver)) {
    const consequence = 'a kernel that has a driver for it will fault or panic';
    command.notices.push(`there is no network card here, and -device ${driver} is left out; ${consequence}`);
    return;
  }
  if (driver !== 'virtio-blk-device') {
    throw new InvalidArgumentError('The only device that can be put in is virtio-blk-device.');
  }
  const properties = propertiesOf(rest);
  const bus = properties.get('bus') ?? 'virtio-mmio-bus.0';
  const drive = properties.get('drive');
  if (drive === undefined) throw new InvalidArgumentError('It has no drive=NAME.');
  if (bus !== 'virtio-mmio-bus.0' || command.disk !== undefined) {
    throw new InvalidArgumentError('There can be one disk, on virtio-mmio-bus.0.');
  }
  command.disk = drive;
}
