/**
 * Zicsr, access to control and status registers (unprivileged specification, chapter "Zicsr").
 * csrrs and csrrc with rs1 = x0 (an immediate of 0) read only; every other form writes.
 */
import { modifyCsr, readCsr, writeCsr } from '../csr/access.js';
import { csrNumber, rd, rs1, uimm } from '../fields.js';
import { row, type Row } from '../row.js';

export const zicsr: readonly Row[] = [
  row('csrrw rd, csr, rs1', 'csr rs1 001 rd 1110011', (h, i) => {
    h.x[rd(i)] = writeCsr(h, i, csrNumber(i), h.x[rs1(i)]);
  }),
  row('csrrs rd, csr, rs1', 'csr rs1 010 rd 1110011', (h, i) => {
    const mask = h.x[rs1(i)];
    h.x[rd(i)] =
      rs1(i) === 0 ? readCsr(h, i, csrNumber(i)) : modifyCsr(h, i, csrNumber(i), (old) => old | mask);
  }),
  row('csrrc rd, csr, rs1', 'csr rs1 011 rd 1110011', (h, i) => {
    const mask = h.x[rs1(i)];
    h.x[rd(i)] =
      rs1(i) === 0 ? readCsr(h, i, csrNumber(i)) : modifyCsr(h, i, csrNumber(i), (old) => old & ~mask);
  }),
  row('csrrwi rd, csr, uimm', 'csr uimm 101 rd 1110011', (h, i) => {
    h.x[rd(i)] = writeCsr(h, i, csrNumber(i), BigInt(uimm(i)));
  }),
  row('csrrsi rd, csr, uimm', 'csr uimm 110 rd 1110011', (h, i) => {
    const mask = BigInt(uimm(i));
    h.x[rd(i)] =
      mask === 0n ? readCsr(h, i, csrNumber(i)) : modifyCsr(h, i, csrNumber(i), (old) => old | mask);
  }),
  row('csrrci rd, csr, uimm', 'csr uimm 111 rd 1110011', (h, i) => {
    const mask = BigInt(uimm(i));
    h.x[rd(i)] =
      mask === 0n ? readCsr(h, i, csrNumber(i)) : modifyCsr(h, i, csrNumber(i), (old) => old & ~mask);
  }),
];
