"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { notifyProblem } from "#client/notify.ts";
import { engineQueries } from "#client/queries.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { SessionList } from "#components/patterns/session-list.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Select } from "#components/ui/field.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { OneTimeLink, Role, UserView } from "#contract/engine.ts";
import { ROLE_WORDS, RoleOptions } from "./roles.tsx";

type Props = { user: UserView; onClose: () => void; onLink: (link: OneTimeLink) => void };

/** Role, password, sessions and end of one person. What cannot be done now says why. */
export function UserDialog({ user, onClose, onLink }: Props) {
  const api = useApi();
  const cache = useQueryClient();
  const me = useQuery(engineQueries(api).me());
  const sessions = useQuery(engineQueries(api).userSessions(user.id));
  const [isSure, setSure] = useState(false);
  const { id: userId } = user;
  const act = useMutation({
    mutationFn: (work: () => Promise<unknown>) => work(),
    onSettled: () => cache.invalidateQueries({ queryKey: ["users"] }),
    onError: (error) => notifyProblem(`${user.email} was not changed`, error),
  });
  const fixed = user.configured
    ? "This account stands in the configuration, and every start makes it so again."
    : me.data?.name === user.email
      ? "Nobody changes their own rights; ask another administrator."
      : null;
  const noReset =
    fixed ??
    (user.state === "disabled" ? "Enable the account first." : null) ??
    (user.signsInBy.includes("provider") ? "Signs in through the identity provider and has no password here." : null);
  const reset = async () => onLink((await api.users.resetPassword({ userId })).link);
  const isDisabled = user.state === "disabled";
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={user.name} description={user.email}>
      <div className="space-y-5">
        <div>
          <p className="font-medium">Role</p>
          <Select
            label="Role"
            value={user.role}
            disabled={fixed !== null || act.isPending}
            onChange={(event) => act.mutate(() => api.users.setRole({ userId, role: event.target.value as Role }))}
            className="mt-1"
          >
            <RoleOptions />
          </Select>
          <p className="mt-1 text-xs text-ink-3">{fixed ?? `${ROLE_WORDS[user.role]} Holds at once.`}</p>
        </div>
        <div>
          <div className="mb-2 flex items-center gap-2">
            <p className="flex-1 font-medium">Sessions</p>
            <Button
              size="sm"
              onClick={() => act.mutate(() => api.users.endSessions({ userId }))}
              disabled={act.isPending}
            >
              End all
            </Button>
          </div>
          {sessions.isPending && <Skeleton className="h-14 w-full" />}
          {sessions.isError && <Refusal what="Sessions cannot be shown" error={sessions.error} />}
          {sessions.data && (
            <SessionList
              sessions={sessions.data.items}
              isBusy={act.isPending}
              onEnd={(session) => act.mutate(() => api.users.endSession({ userId, sessionId: session.id }))}
            />
          )}
        </div>
        <div className="flex flex-wrap gap-2 border-t border-line pt-4">
          <Button unavailable={noReset} disabled={act.isPending} onClick={() => act.mutate(reset)}>
            {user.state === "invited" ? "New link" : "Reset password"}
          </Button>
          <Button
            unavailable={fixed}
            disabled={act.isPending}
            onClick={() =>
              act.mutate(() => (isDisabled ? api.users.enable({ userId }) : api.users.disable({ userId })))
            }
          >
            {isDisabled ? "Enable" : "Disable"}
          </Button>
          {isSure ? (
            <Button
              look="primary"
              disabled={act.isPending}
              onClick={() => act.mutate(() => api.users.remove({ userId }).then(onClose))}
            >
              Delete {user.email}
            </Button>
          ) : (
            <Button unavailable={fixed} onClick={() => setSure(true)}>
              Delete…
            </Button>
          )}
        </div>
      </div>
    </Dialog>
  );
}
