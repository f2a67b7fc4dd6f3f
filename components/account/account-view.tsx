"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { useApi } from "#client/api.ts";
import { startLeaving, stayHere } from "#client/leaving.ts";
import { notify, notifyProblem } from "#client/notify.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";
import { NewPassword } from "#components/patterns/new-password.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { SessionList } from "#components/patterns/session-list.tsx";
import { ErrorPanel } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";

/** Who is signed in, where else, and the own password. */
export function AccountView() {
  const api = useApi();
  const queries = engineQueries(api);
  const cache = useQueryClient();
  const account = useQuery(queries.account());
  const sessions = useQuery(queries.ownSessions());
  const fail = (error: unknown) => notifyProblem("The session was not ended", error);
  const end = useMutation({
    mutationFn: (sessionId: string) => api.account.endSession({ sessionId }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["account"] }),
    onError: fail,
  });
  const everywhere = useMutation({
    mutationFn: () => api.account.signOutEverywhere({}),
    onMutate: startLeaving,
    onSuccess: () => window.location.assign("/sign-in"),
    onError: (error) => {
      stayHere();
      notifyProblem("You were not signed out", error);
    },
  });
  return (
    <div className="mx-auto max-w-3xl px-3 py-4 sm:px-4">
      <PageHead title="Account" detail={account.data ? `${account.data.email}, ${account.data.role}` : null} />
      <section className="mt-6">
        <div className="mb-2 flex flex-wrap items-center gap-2">
          <h2 className="flex-1 text-base font-semibold">Sessions</h2>
          <Button size="sm" onClick={() => everywhere.mutate()} disabled={everywhere.isPending}>
            Sign out everywhere
          </Button>
        </div>
        {sessions.isPending ? (
          <Skeleton className="h-24 w-full" />
        ) : sessions.data ? (
          <SessionList
            sessions={sessions.data.items}
            isBusy={end.isPending}
            onEnd={(session) => end.mutate(session.id)}
          />
        ) : (
          <ErrorPanel what="Sessions cannot be shown" error={sessions.error} onRetry={() => sessions.refetch()} />
        )}
      </section>
      <section className="mt-8">
        <h2 className="mb-2 text-base font-semibold">Password</h2>
        {!account.data ? (
          <Skeleton className="h-24 w-full" />
        ) : account.data.configured ? (
          <p className="text-ink-2">This password stands in the server's configuration and is changed there.</p>
        ) : account.data.signsInBy.includes("password") ? (
          <PasswordForm />
        ) : (
          <p className="text-ink-2">You sign in through the identity provider and have no password here.</p>
        )}
      </section>
    </div>
  );
}

function PasswordForm() {
  const api = useApi();
  const cache = useQueryClient();
  const change = useMutation({
    mutationFn: (input: { current: string; next: string }) => api.account.changePassword(input),
    onSuccess: ({ ended }) => {
      notify(`Password changed${ended ? `; ${ended} other sessions ended` : ""}`);
      void cache.invalidateQueries({ queryKey: ["account"] });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    change.mutate(
      { current: String(data.get("current")), next: String(data.get("next")) },
      { onSuccess: () => form.reset() },
    );
  };
  return (
    <form onSubmit={submit} method="post" className="max-w-sm space-y-3">
      {change.isError && (
        <p role="alert" className="rounded-md border border-line bg-bad-bg p-2.5 text-bad">
          {passwordRefusal(change.error)}
        </p>
      )}
      <label className="block font-medium" htmlFor="current">
        Present password
        <TextField
          id="current"
          name="current"
          type="password"
          autoComplete="current-password"
          required
          className="mt-1.5 w-full"
        />
      </label>
      <NewPassword name="next" label="New password" note=" Your other sessions end." />
      <Button type="submit" look="primary" disabled={change.isPending}>
        {change.isPending ? "Saving…" : "Change password"}
      </Button>
    </form>
  );
}

function passwordRefusal(error: unknown): string {
  const { code, detail } = toProblemView(error);
  return code === "invalid_input" ? "The present password is wrong, or the new one is too short." : detail;
}
