// Preloaded with `--require evloop/register`: puts the sockets of this process on the loop.
interface Registering {
  registerFacesNow(load: () => object): void;
}

try {
  const registering = require('./node/register-faces.js') as Registering;
  registering.registerFacesNow(() => require('./node/install.js') as object);
} catch (error) {
  // Before 20.19, Node cannot require modules of this kind.
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`Sockets stay with Node, use --import: ${reason}`, { code: 'EVLOOP_REGISTER' });
}
