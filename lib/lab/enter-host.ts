import { execFileSync } from "node:child_process";

/**
 * Runs inside a fresh UTS namespace (see daemon.ts): gives it its hostname and becomes the program that follows.
 * Arguments: hostname, absolute program, its arguments. Nothing of this process remains.
 */
const [name, program, ...args] = process.argv.slice(2);
if (name === undefined || program === undefined) throw new Error("enter-host needs a hostname and a program");
if (process.execve === undefined) throw new Error("enter-host needs a Node with process.execve (24)");
execFileSync("hostname", [name]);
process.execve(program, [program, ...args], process.env);
