/** The same for assert: elfy wants it for what a boot does not do. */
module.exports = new Proxy({}, { get: (_, name) => require('assert')[name] });
