import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/support/build.ts',
    setupFiles: 'tests/support/breathe.ts',
    testTimeout: 60_000,
    // What is kept from run to run is the user's.
    env: { RVEMU_CACHE: '' },
  },
});
