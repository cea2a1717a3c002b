/** Whether the host's WebAssembly can run what is translated: regions go on to each other by tail calls. */
import { REGION_TYPE, regionType } from './layout.js';
import { encodeModule, encodePreamble } from './module.js';
import { getLocal, returnCallIndirect } from './wasm.js';

export type Validate = (bytes: Uint8Array<ArrayBuffer>) => boolean;

export function canTranslate(validate: Validate = (bytes) => WebAssembly.validate(bytes)): boolean {
  const parameters = regionType.parameters.map((_, index) => getLocal(index));
  const code = [parameters, getLocal(0), returnCallIndirect(REGION_TYPE)];
  return validate(
    encodeModule({
      preamble: encodePreamble([regionType], []),
      functions: [{ type: REGION_TYPE, i32Locals: 0, i64Locals: 0, code }],
    }),
  );
}
