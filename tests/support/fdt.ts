/** Reads flattened device trees, strictly: anything out of place throws. Written apart from the writer it checks. */

export interface ReadNode {
  readonly properties: Readonly<Record<string, Uint8Array>>;
  readonly children: Readonly<Record<string, ReadNode>>;
}

export function readFdt(bytes: Uint8Array): ReadNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, total, structureOffset, stringsOffset, reservationOffset, version, compatible] = Array.from(
    { length: 7 },
    (_, index) => view.getUint32(4 * index),
  );
  const [stringsBytes, structureBytes] = [view.getUint32(32), view.getUint32(36)];
  must(magic === 0xd00dfeed && version === 17 && compatible === 16, 'magic or version');
  must(total === bytes.length, 'total size');
  must(reservationOffset % 8 === 0 && structureOffset % 4 === 0, 'alignment');
  must(
    view.getBigUint64(reservationOffset) === 0n && view.getBigUint64(reservationOffset + 8) === 0n,
    'reservations',
  );
  must(structureOffset >= reservationOffset + 16, 'structure over reservations');
  must(stringsOffset >= structureOffset + structureBytes && stringsOffset + stringsBytes <= total, 'strings');

  let at = structureOffset;
  const nextCell = (): number => {
    at += 4;
    return view.getUint32(at - 4);
  };
  const stringAt = (offset: number): string => {
    const end = bytes.indexOf(0, offset);
    must(end >= 0, 'string without an end');
    return new TextDecoder().decode(bytes.subarray(offset, end));
  };

  /** The node whose first token has been read. */
  const readNode = (): [string, ReadNode] => {
    const name = stringAt(at);
    at = (at + name.length + 4) & ~3;
    const node = { properties: {} as Record<string, Uint8Array>, children: {} as Record<string, ReadNode> };
    for (;;) {
      const token = nextCell();
      if (token === 2) return [name, node];
      if (token === 1) {
        const [childName, child] = readNode();
        must(!(childName in node.children), `second ${childName}`);
        node.children[childName] = child;
      } else {
        must(token === 3, `token ${token}`);
        must(Object.keys(node.children).length === 0, 'property after a child');
        const length = nextCell();
        const property = stringAt(stringsOffset + nextCell());
        node.properties[property] = bytes.subarray(at, at + length);
        at = (at + length + 3) & ~3;
      }
    }
  };

  must(nextCell() === 1, 'no root');
  const [name, root] = readNode();
  must(name === '', 'root with a name');
  must(nextCell() === 9 && at === structureOffset + structureBytes, 'end');
  return root;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`damaged device tree: ${what}`);
}

/** The node at a path such as `/soc/serial@10000000`. */
export function nodeAt(root: ReadNode, path: string): ReadNode {
  return path
    .split('/')
    .filter((name) => name !== '')
    .reduce((node, name) => {
      must(name in node.children, `no ${name} in ${path}`);
      return node.children[name];
    }, root);
}

/** A property as 32-bit cells. */
export function cells(node: ReadNode, property: string): number[] {
  const bytes = valueOf(node, property);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index));
}

/** A property as strings, each of which must be terminated. */
export function texts(node: ReadNode, property: string): string[] {
  const parts = new TextDecoder().decode(valueOf(node, property)).split('\0');
  must(parts.pop() === '', `${property} without an end`);
  return parts;
}

function valueOf(node: ReadNode, property: string): Uint8Array {
  must(property in node.properties, `no ${property}`);
  return node.properties[property];
}
