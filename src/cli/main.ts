#!/usr/bin/env node
/**
 * Starts the `rvemu` command: from the bundle where there is one, for its many modules take longer to load. The build makes
 * a CommonJS module of this as well, which Node starts sooner.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadBundle } from './bundle.js';
import { setUpEngine } from './engine.js';

/** Beside this module, so that what is in it finds the package's files as the modules do. */
const BUNDLE = fileURLToPath(new URL('bundle.cjs', import.meta.url));

setUpEngine();
const program = existsSync(BUNDLE) ? Promise.resolve(loadBundle(BUNDLE).program) : import('./program.js');
void program.then(({ main }) => main(fileURLToPath(import.meta.url)));
