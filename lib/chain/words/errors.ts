/** Why the host could not be read, and what to do next. */
import type { ObserveErrorCode } from "../model.ts";

export type ErrorWords = { title: string; explanation: string; next: string };

const ERRORS: Readonly<Record<ObserveErrorCode, ErrorWords>> = {
  "agent-unreachable": {
    title: "Agent does not answer",
    explanation: "The host's agent could not be reached over the network.",
    next: "Check that the host is up and that the agent runs there and listens on its configured address. It is tried again by itself.",
  },
  "agent-refused": {
    title: "Agent refused",
    explanation: "The agent answered, but did not accept our token or certificate.",
    next: "A host that was paired: retire it, which keeps its history, and pair it again under its name. One of the configuration: compare the token and certificate there with the agent's.",
  },
  "libvirt-unreachable": {
    title: "libvirt does not answer",
    explanation: "The agent runs, but has no connection to libvirt on its host.",
    next: "Check the libvirt daemon on the host (systemctl status libvirtd or virtqemud). The agent connects again by itself.",
  },
  "permission-denied": {
    title: "Permission denied",
    explanation: "The agent may not read what it needs.",
    next: "Give the agent's user access to libvirt and to the image, including every directory above it.",
  },
  "image-locked": {
    title: "Image is locked",
    explanation: "Another process holds the image open while libvirt says that the VM does not run here.",
    next: "Find who has it open: another host that runs the VM, or a tool such as qemu-nbd or qemu-img. A process of this VM named beside this is its own QEMU, which libvirt may have lost when it was restarted: where no other libvirt runs it, shut the guest down from inside, end that process (kill, not kill -9), then start the VM. It is read again once the lock is free.",
  },
  "image-missing": {
    title: "Image is not there",
    explanation: "The image, or one that it is based on, was not found at its path.",
    next: "Check that the storage is mounted on this host and that the path in the VM's definition is right.",
  },
  unreadable: {
    title: "Image cannot be opened",
    explanation: "QEMU does not accept the image.",
    next: "Read the host's own words beside this, and check the image with qemu-img check while the VM is stopped.",
  },
  "qmp-forbidden": {
    title: "QMP is switched off here",
    explanation:
      "This site does not let the agent ask QEMU directly. Without that, the bitmaps of a running VM cannot be seen.",
    next: "Stopped VMs are still read from their images. To see bitmaps of running VMs set qmp to allow in the agent's configuration; libvirt then marks the VM as tainted (custom-monitor).",
  },
  "qmp-failed": {
    title: "QEMU did not answer as expected",
    explanation: "QEMU refused or broke off the question for its bitmaps.",
    next: "Usually this passes: read the VM again. If it stays, look at the VM's log in /var/log/libvirt/qemu on the host.",
  },
  timeout: {
    title: "It took too long",
    explanation: "The host did not answer within the limit.",
    next: "The host or its storage may be overloaded or hang. Nothing was changed. It is tried again by itself.",
  },
  "lock-held": {
    title: "Another job holds the VM",
    explanation: "libvirt is busy with a job on this VM and lets nobody else in meanwhile.",
    next: "Wait for the job to end; it is then read again by itself. No checkpoint was lost by this.",
  },
  "domain-changed": {
    title: "The VM changed while it was read",
    explanation:
      "The VM was started, stopped, moved or removed during the read, so that its parts do not fit together.",
    next: "Read it again.",
  },
  "tool-missing": {
    title: "A tool is missing on the host",
    explanation: "The agent needs a program that is not installed.",
    next: "Install qemu-utils and libnbd-bin (Debian, Ubuntu) or qemu-img and nbdinfo on the host.",
  },
  "unsupported-source": {
    title: "This kind of storage is not read",
    explanation:
      "The disk is not a local file or block device, so that its image cannot be opened here while the VM is stopped.",
    next: "Start the VM to see its bitmaps through QEMU.",
  },
  internal: {
    title: "Something failed on our side",
    explanation: "The read failed in a way that we did not foresee.",
    next: "Read it again. If it stays, create a support bundle and report it with the trace id.",
  },
};

/** Title, explanation and next step of a failed read. */
export function observeErrorWords(code: ObserveErrorCode): ErrorWords {
  return ERRORS[code];
}
