"use client";
import { useQuery } from "@tanstack/react-query";
import { Lock } from "lucide-react";
import type { ReactNode } from "react";
import { useApi } from "#client/api.ts";
import { engineQueries } from "#client/queries.ts";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";

/** Shows its content to administrators and everybody else why not; the engine refuses by itself. */
export function AdminsOnly({ what, children }: { what: string; children: ReactNode }) {
  const me = useQuery(engineQueries(useApi()).me());
  if (me.data && me.data.role !== "admin") {
    return (
      <EmptyPanel icon={<Lock size={28} strokeWidth={1.5} aria-hidden />} title={`${what} are for administrators`}>
        Your role is {me.data.role}. Ask an administrator.
      </EmptyPanel>
    );
  }
  return children;
}
