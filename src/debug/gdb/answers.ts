/** Short answers to packets. */
export const OK = 'OK';
/** The packet is not known. */
export const UNKNOWN = '';
/** The packet makes no sense. */
export const BAD_PACKET = 'E16';
/** There is no memory, or nothing that can be done with it. */
export const BAD_ADDRESS = 'E0e';
