"use client";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { UserPlus, Users } from "lucide-react";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Select, TextField } from "#components/ui/field.tsx";
import type { OneTimeLink, Role, UserView } from "#contract/engine.ts";
import { AdminsOnly } from "./admins-only.tsx";
import { ROLE_WORDS, RoleOptions } from "./roles.tsx";
import { SettingsTabs } from "./settings-tabs.tsx";
import { type Secret, ShownOnce } from "./shown-once.tsx";
import { UserDialog } from "./user-dialog.tsx";

const STATES: Record<UserView["state"], string> = { active: "Active", invited: "Invited", disabled: "Disabled" };

const linkSecret = (email: string, link: OneTimeLink): Secret => ({
  title: `Link for ${email}`,
  text: `${window.location.origin}${link.path}`,
  what: "the link",
  hint: "Give it to that person. It works once and is shown only now.",
});

/** People: who may come in, with which role. */
export function PeopleView() {
  const users = useInfiniteQuery(engineQueries(useApi()).users());
  const [isInviting, setInviting] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const [secret, setSecret] = useState<Secret | null>(null);
  const chosen = users.data?.pages.flatMap((page) => page.items).find((user) => user.id === open);
  const columns: readonly Column<UserView>[] = [
    {
      title: "Person",
      cell: (user) => (
        <>
          <span className="font-medium">{user.name}</span>
          <span className="block break-all text-ink-2">{user.email}</span>
        </>
      ),
    },
    { title: "Role", cell: (user) => <span data-hint={ROLE_WORDS[user.role]}>{user.role}</span> },
    {
      title: "State",
      cell: (user) => (
        <>
          {STATES[user.state]}
          <span className="block text-xs text-ink-3">
            {user.configured
              ? "stands in the configuration"
              : user.signsInBy.length > 0
                ? `signs in by ${user.signsInBy.join(" and ")}`
                : "has set no password yet"}
          </span>
        </>
      ),
    },
    {
      title: "Last seen",
      cell: (user) =>
        user.lastSeenAt ? (
          <>
            <span className="text-ink-3 md:hidden">last seen </span>
            <Moment at={user.lastSeenAt} />
          </>
        ) : (
          <span className="text-ink-3">never seen</span>
        ),
    },
    {
      title: "Manage",
      cell: (user) => (
        <Button size="sm" onClick={() => setOpen(user.id)} aria-label={`Manage ${user.email}`}>
          Manage
        </Button>
      ),
    },
  ];
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Settings" />
      <SettingsTabs />
      <AdminsOnly what="People">
        <div className="mt-3 flex justify-end">
          <Button onClick={() => setInviting(true)}>
            <UserPlus size={14} aria-hidden /> Invite
          </Button>
        </div>
        <ListRows
          query={users}
          label="People"
          columns={columns}
          keyOf={(user) => user.id}
          empty={
            <EmptyPanel icon={<Users size={28} strokeWidth={1.5} aria-hidden />} title="Nobody yet">
              Invite somebody; the link sets name and password.
            </EmptyPanel>
          }
        />
      </AdminsOnly>
      {isInviting && (
        <InviteDialog
          onClose={() => setInviting(false)}
          onLink={(email, link) => {
            setInviting(false);
            setSecret(linkSecret(email, link));
          }}
        />
      )}
      {chosen && (
        <UserDialog
          user={chosen}
          onClose={() => setOpen(null)}
          onLink={(link) => {
            setOpen(null);
            setSecret(linkSecret(chosen.email, link));
          }}
        />
      )}
      {secret && <ShownOnce secret={secret} onClose={() => setSecret(null)} />}
    </div>
  );
}

function InviteDialog(props: { onClose: () => void; onLink: (email: string, link: OneTimeLink) => void }) {
  const api = useApi();
  const cache = useQueryClient();
  const [role, setRole] = useState<Role>("viewer");
  const invite = useMutation({
    mutationFn: (email: string) => api.users.invite({ email, role }),
    onSuccess: ({ user, link }) => {
      void cache.invalidateQueries({ queryKey: ["users"] });
      props.onLink(user.email, link);
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && props.onClose()}
      title="Invite somebody"
      description="You get a link that works once, for three days. Nothing is sent by e-mail."
    >
      <form
        method="post"
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate(String(new FormData(event.currentTarget).get("email")));
        }}
      >
        {invite.isError && (
          <p role="alert" className="rounded-md border border-line bg-bad-bg p-2.5 text-bad">
            {toProblemView(invite.error).detail}
          </p>
        )}
        <label className="block font-medium" htmlFor="invite-email">
          E-mail
          <TextField id="invite-email" name="email" type="email" required maxLength={320} className="mt-1 w-full" />
        </label>
        <div>
          <p className="font-medium">Role</p>
          <Select label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)} className="mt-1">
            <RoleOptions />
          </Select>
          <p className="mt-1 text-xs text-ink-3">{ROLE_WORDS[role]}</p>
        </div>
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={invite.isPending}>
            {invite.isPending ? "Making the link…" : "Make the link"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
