/** Boots a kernel with the bundle that is named, and leaves beside it what V8 compiled for that. A part of `npm run build`. */
import { writeFileSync } from 'node:fs';
import { codeCacheOf, loadBundle } from '../src/cli/bundle.js';
import { setUpEngine } from '../src/cli/engine.js';

const [node, , bundle] = process.argv;
setUpEngine();
const { program, script } = loadBundle(bundle);
process.on('exit', () => writeFileSync(codeCacheOf(bundle), script.createCachedData()));
process.argv = [node, bundle, 'boot', '--ephemeral', '--run', 'echo done'];
await program.main(bundle);
