/** Stands in for node:child_process in the bundle: loaded when it is first used, for that takes longer than all of commander. */
module.exports = new Proxy({}, { get: (_, name) => require('child_process')[name] });
