import koffi from "koffi";
import { describe, expect, it } from "vitest";
import { type Connection, LibvirtFailure } from "./connection.ts";
import { VIR_ERR } from "./errors.ts";
import type { Out, Ptr } from "./ffi.ts";
import { listDomains } from "./list.ts";
import { RuntimeIds } from "./runtime-id.ts";

const IDS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const xmlOf = (id: string): string => `<domain><uuid>${id}</uuid><devices/></domain>`;

/** A libvirt of two domains, the first of which answers its definition's read with this error. */
function connectionOf(code: number, isLost = false): Connection {
  const idOf = (domain: Ptr): string => IDS[Number(domain) - 1] ?? "";
  const lib = {
    connectListAllDomains(_: Ptr, out: Out<Ptr>): number {
      out[0] = koffi.alloc("void *", 2);
      koffi.encode(out[0], koffi.array("void *", 2), [1n, 2n]);
      return 2;
    },
    domainGetUuid: (domain: Ptr, buffer: Buffer): number => buffer.write(idOf(domain), "latin1"),
    domainGetXml: (domain: Ptr): string | null => (domain === 1n ? null : xmlOf(idOf(domain))),
    domainGetState(_: Ptr, state: Out<number>): number {
      state[0] = 5;
      return 0;
    },
    domainGetName: (domain: Ptr): string => `vm${domain}`,
    domainIsPersistent: (): number => 1,
    domainFree: (): number => 0,
  };
  const fail = (): never => {
    throw new LibvirtFailure({ code, domain: 10, message: "libvirt's words" }, isLost);
  };
  return { lib, fail } as unknown as Connection;
}
const list = (connection: Connection) => listDomains(connection, 9n, new RuntimeIds("test:///"));

describe("the list of domains", () => {
  it("leaves out a domain that libvirt no longer knows", () => {
    expect(list(connectionOf(VIR_ERR.NO_DOMAIN)).map(({ vmId }) => vmId)).toEqual([IDS[1]]);
  });

  it("fails, typed, where a domain cannot be read for any other reason: it is never shorter without a word", () => {
    const failures = [
      [connectionOf(VIR_ERR.ACCESS_DENIED), "permission-denied"],
      [connectionOf(VIR_ERR.OPERATION_TIMEOUT), "lock-held"],
      [connectionOf(VIR_ERR.RPC, true), "libvirt-unreachable"],
    ] as const;
    for (const [connection, code] of failures) {
      expect(() => list(connection)).toThrow(expect.objectContaining({ error: expect.objectContaining({ code }) }));
    }
  });
});
