import { describe, expect, it } from "vitest";
import { readBackupXml } from "./backup-look.ts";
import { isSameFiles, newCheckpointXml, pushXml } from "./backup-push.ts";

const disks = [
  { target: "vda", base: "cp1", file: `/r/it's & <new> "1".qcow2` },
  { target: "vdb", base: null, file: "/r/b.qcow2" },
];

describe("XML of push backups", () => {
  it("gives each disk its mode and file, and leaves every other disk out by name", () => {
    expect(pushXml(disks.slice(1), ["vda", "sda"])).toBe(
      '<domainbackup mode="push"><disks><disk name="vdb" backup="yes" type="file" backupmode="full">' +
        '<target file="/r/b.qcow2"/><driver type="qcow2"/></disk>' +
        '<disk name="vda" backup="no"/><disk name="sda" backup="no"/></disks></domainbackup>',
    );
  });

  it("is read back as it was written, whatever is in a path", () => {
    const running = readBackupXml(pushXml(disks, ["sda"]));
    expect(running).toEqual({
      isPush: true,
      disks: [
        { target: "vda", mode: "incremental", file: disks[0]?.file },
        { target: "vdb", mode: "full", file: "/r/b.qcow2" },
      ],
    });
    expect(isSameFiles(running, ["/r/b.qcow2", disks[0]?.file ?? ""])).toBe(true);
    expect(isSameFiles(running, ["/r/b.qcow2"])).toBe(false);
  });

  it("never takes a pull job for ours, whose scratch file lies where our file would", () => {
    const xml =
      "<domainbackup mode='pull'><disks><disk name='vda' backup='yes'><scratch file='/r/a'/></disk></disks></domainbackup>";
    expect(isSameFiles(readBackupXml(xml), ["/r/a"])).toBe(false);
  });

  it("makes a checkpoint with explicit disks, explicit bitmaps and no domain", () => {
    expect(newCheckpointXml("cp2", ["vda"], ["vdb"])).toBe(
      '<domaincheckpoint><name>cp2</name><disks><disk name="vda" checkpoint="bitmap" bitmap="cp2"/>' +
        '<disk name="vdb" checkpoint="no"/></disks></domaincheckpoint>',
    );
  });
});
