/** The contract, call by call. Each line parses nothing and decides nothing: one verb does. */
import { implement } from "@orpc/server";
import { engineContract } from "#contract/engine.ts";
import { listAudit } from "./audit/list-audit.ts";
import { getBackup, listBackups } from "./backups/backups.ts";
import { createBackup } from "./backups/create-backup.ts";
import { verifyBackup } from "./backups/verify-backup.ts";
import { streamEvents } from "./events.ts";
import { retireHost, updateHost } from "./hosts/change-host.ts";
import { getHostBundle } from "./hosts/get-host-bundle.ts";
import { getHost, listHosts, observeHost } from "./hosts/hosts.ts";
import { pairHost } from "./hosts/pair-host.ts";
import { rotateHost } from "./hosts/rotate-host.ts";
import { cancelJob } from "./jobs/cancel-job.ts";
import { getJobBundle } from "./jobs/get-job-bundle.ts";
import { getJob, listJobs } from "./jobs/jobs.ts";
import { getAccount } from "./people/account.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "./people/api-keys.ts";
import { changePassword } from "./people/change-password.ts";
import { disableUser } from "./people/disable-user.ts";
import { enableUser } from "./people/enable-user.ts";
import { inviteUser } from "./people/invite-user.ts";
import { listUsers } from "./people/list-users.ts";
import { removeUser } from "./people/remove-user.ts";
import { resetPassword } from "./people/reset-password.ts";
import {
  endOwnSession,
  endUserSession,
  endUserSessions,
  listOwnSessions,
  listUserSessions,
  signOutEverywhere,
} from "./people/sessions.ts";
import { setRole } from "./people/set-role.ts";
import { getSettings } from "./people/settings.ts";
import { applyPlan } from "./plans/apply-plan.ts";
import { createPlan } from "./plans/create-plan.ts";
import { getPlan } from "./plans/get-plan.ts";
import { applyPlanGroup, createPlanGroup, readGroup } from "./plans/groups.ts";
import type { Context } from "./state.ts";
import { getBundle } from "./vms/get-bundle.ts";
import { getChain } from "./vms/get-chain.ts";
import { getVm } from "./vms/get-vm.ts";
import { listVms } from "./vms/list-vms.ts";
import { listVmCheckpoints, listVmFindings, listVmSamples } from "./vms/lists.ts";
import { observeVm } from "./vms/observe-vm.ts";
import { readExtents } from "./vms/read-extents.ts";
import { registerCheckpoint } from "./vms/register-checkpoint.ts";
import { validateVm } from "./vms/validate-vm.ts";

const os = implement(engineContract).$context<Context>();

export const router = os.router({
  me: os.me.handler(({ context: { actor } }) => ({
    kind: actor.kind === "person" ? ("person" as const) : ("program" as const),
    name: actor.name,
    role: actor.role,
    hosts: actor.scope ? [...actor.scope] : null,
  })),
  vms: {
    list: os.vms.list.handler(({ context, input }) => listVms(context, input)),
    get: os.vms.get.handler(({ context, input }) => getVm(context, input)),
    chain: os.vms.chain.handler(({ context, input }) => getChain(context, input)),
    observe: os.vms.observe.handler(({ context, input }) => observeVm(context, input)),
    validate: os.vms.validate.handler(({ context, input }) => validateVm(context, input)),
    checkpoints: os.vms.checkpoints.handler(({ context, input }) => listVmCheckpoints(context, input)),
    registerCheckpoint: os.vms.registerCheckpoint.handler(({ context, input }) => registerCheckpoint(context, input)),
    findings: os.vms.findings.handler(({ context, input }) => listVmFindings(context, input)),
    extents: os.vms.extents.handler(({ context, input }) => readExtents(context, input)),
    samples: os.vms.samples.handler(({ context, input }) => listVmSamples(context, input)),
    bundle: os.vms.bundle.handler(({ context, input }) => getBundle(context, input)),
  },
  hosts: {
    list: os.hosts.list.handler(({ context, input }) => listHosts(context, input)),
    get: os.hosts.get.handler(({ context, input }) => getHost(context, input)),
    bundle: os.hosts.bundle.handler(({ context, input }) => getHostBundle(context, input)),
    observe: os.hosts.observe.handler(({ context, input }) => observeHost(context, input)),
    pair: os.hosts.pair.handler(({ context, input }) => pairHost(context, input)),
    update: os.hosts.update.handler(({ context, input }) => updateHost(context, input)),
    retire: os.hosts.retire.handler(({ context, input }) => retireHost(context, input)),
    rotate: os.hosts.rotate.handler(({ context, input }) => rotateHost(context, input)),
  },
  audit: { list: os.audit.list.handler(({ context, input }) => listAudit(context, input)) },
  jobs: {
    list: os.jobs.list.handler(({ context, input }) => listJobs(context, input)),
    get: os.jobs.get.handler(({ context, input }) => getJob(context, input)),
    bundle: os.jobs.bundle.handler(({ context, input }) => getJobBundle(context, input)),
    cancel: os.jobs.cancel.handler(({ context, input }) => cancelJob(context, input)),
  },
  plans: {
    create: os.plans.create.handler(({ context, input }) => createPlan(context, input)),
    get: os.plans.get.handler(({ context, input }) => getPlan(context, input)),
    apply: os.plans.apply.handler(({ context, input }) => applyPlan(context, input)),
  },
  planGroups: {
    create: os.planGroups.create.handler(({ context, input }) => createPlanGroup(context, input)),
    get: os.planGroups.get.handler(({ context, input }) => readGroup(context, input)),
    apply: os.planGroups.apply.handler(({ context, input }) => applyPlanGroup(context, input)),
  },
  backups: {
    create: os.backups.create.handler(({ context, input }) => createBackup(context, input)),
    list: os.backups.list.handler(({ context, input }) => listBackups(context, input)),
    get: os.backups.get.handler(({ context, input }) => getBackup(context, input)),
    verify: os.backups.verify.handler(({ context, input, signal }) => verifyBackup(context, input, signal)),
  },
  users: {
    list: os.users.list.handler(({ context, input }) => listUsers(context, input)),
    invite: os.users.invite.handler(({ context, input }) => inviteUser(context, input)),
    setRole: os.users.setRole.handler(({ context, input }) => setRole(context, input)),
    disable: os.users.disable.handler(({ context, input }) => disableUser(context, input)),
    enable: os.users.enable.handler(({ context, input }) => enableUser(context, input)),
    resetPassword: os.users.resetPassword.handler(({ context, input }) => resetPassword(context, input)),
    remove: os.users.remove.handler(({ context, input }) => removeUser(context, input)),
    sessions: os.users.sessions.handler(({ context, input }) => listUserSessions(context, input)),
    endSession: os.users.endSession.handler(({ context, input }) => endUserSession(context, input)),
    endSessions: os.users.endSessions.handler(({ context, input }) => endUserSessions(context, input)),
  },
  account: {
    get: os.account.get.handler(({ context }) => getAccount(context)),
    sessions: os.account.sessions.handler(({ context }) => listOwnSessions(context)),
    endSession: os.account.endSession.handler(({ context, input }) => endOwnSession(context, input)),
    signOutEverywhere: os.account.signOutEverywhere.handler(({ context }) => signOutEverywhere(context)),
    changePassword: os.account.changePassword.handler(({ context, input }) => changePassword(context, input)),
  },
  apiKeys: {
    list: os.apiKeys.list.handler(({ context, input }) => listApiKeys(context, input)),
    create: os.apiKeys.create.handler(({ context, input }) => createApiKey(context, input)),
    revoke: os.apiKeys.revoke.handler(({ context, input }) => revokeApiKey(context, input)),
  },
  settings: { get: os.settings.get.handler(({ context }) => getSettings(context)) },
  events: os.events.handler(({ context, input, signal }) => streamEvents(context, input, signal)),
});
