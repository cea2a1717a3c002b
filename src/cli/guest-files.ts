/** Which kernel and which disk a `boot` means, from what was named and what lies in the working directory. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface GuestFiles {
  kernel: string;
  disk?: string;
  /** Whether what the guest writes to its disk stays in memory and leaves the image as it is. */
  keepsWritesInMemory: boolean;
  /** Words for the user about how these were chosen. */
  description: string;
}

export interface GuestChoice {
  kernel?: string;
  disk?: string;
  ephemeral?: boolean;
}

/** The images that come with rvemu: in the package's root, two folders above this module, built or not. */
const OWN_IMAGES = fileURLToPath(new URL('../../images/', import.meta.url));
const OWN_KERNEL = join(OWN_IMAGES, 'kernel.elf');

/** Nothing is opened, so a named file that does not exist is found out later. Paths that are not absolute are
    relative to the working directory. */
export function findGuestFiles(
  choice: GuestChoice,
  exists: (path: string) => boolean = existsSync,
): GuestFiles {
  const keepsWritesInMemory = choice.ephemeral ?? false;
  const treeKernel = join('kernel', 'kernel');
  const kernel = choice.kernel ?? (exists(treeKernel) ? treeKernel : OWN_KERNEL);
  if (kernel === OWN_KERNEL) {
    return {
      kernel,
      disk: choice.disk ?? join(OWN_IMAGES, 'fs.img'),
      keepsWritesInMemory: keepsWritesInMemory || choice.disk === undefined,
      description: choice.disk ? `its own kernel with ${choice.disk}` : 'its own kernel and disk',
    };
  }
  const disk = choice.disk ?? diskBeside(kernel, exists);
  const description = `${kernel} with ${disk ?? 'no disk'}`;
  return { kernel, disk, keepsWritesInMemory, description };
}

/** The `fs.img` of the xv6 tree that `…/kernel/kernel` was built in. */
function diskBeside(kernel: string, exists: (path: string) => boolean): string | undefined {
  if (!/(^|[\\/])kernel[\\/]kernel$/.test(kernel)) return undefined;
  const disk = join(dirname(dirname(kernel)), 'fs.img');
  return exists(disk) ? disk : undefined;
}
