// Preloaded with `--import evloop/register`: puts the sockets of this process on the loop.
import { registerFaces } from './node/register-faces.js';

await registerFaces(() => import('./node/install.js'));
