// Runs one measure of a claim in this process: node child.mjs CLAIM MEASURE SETTINGS
//
// Prints one line of JSON. Also run by other runtimes that offer Node's modules.
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [claim = '', measure = '', settings = '{}'] = process.argv.slice(2);
const { measures } = await import(pathToFileURL(claim).href);
const metrics = await measures[measure](JSON.parse(settings));
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ metrics, cpuSeconds: (user + system) / 1e6 }));
// What a measure leaves behind, timers an hour away for example, must not keep the process.
process.exit();
