import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { VM_ID } from "#chain/limits.ts";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../engine-access.ts";
import { VmScreen } from "./vm-screen.tsx";

type Props = { params: Promise<{ vmId: string }> };

export const metadata: Metadata = { title: "VM" };

export default async function VmPage({ params }: Props) {
  const { vmId } = await params;
  if (!VM_ID.test(vmId)) notFound();
  const { state } = await prefetch((queries, cache) =>
    Promise.all([
      cache.fetchQuery(queries.chain(vmId)),
      cache.fetchQuery(queries.vm(vmId)),
      cache.prefetchQuery(queries.backups(vmId)),
      cache.prefetchQuery(queries.me()),
    ]),
  );
  return (
    <Hydrated state={state}>
      <VmScreen vmId={vmId} />
    </Hydrated>
  );
}
