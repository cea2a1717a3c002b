/** Stands in for assert in the bundle: loaded when something is asserted, which elfy does for what a boot does not read. */
module.exports = new Proxy({}, { get: (_, name) => require('assert')[name] });
