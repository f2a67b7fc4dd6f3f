# Runs as the parent of one host's daemon, inside a fresh UTS namespace where there is one (see daemon.ts).
# Arguments: the hostname to set, or "-" to leave it, then the program to run and its arguments.
# It is a subreaper: QEMU, which leaves its daemon, becomes its child and is reaped at once when it ends. libvirt polls
# until that has happened; init may be slow at it, or, in a container, never do it, and then every stop fails.
# It lives as long as it has children, so a VM outlives a killed daemon. No shell, no modules.
use strict;
use warnings;

my ($name, @program) = @ARGV;
if ($name ne '-') { system('hostname', $name) == 0 or die "cannot set the hostname: $?\n" }

my %prctl = (x86_64 => 157, aarch64 => 167);
my ($machine) = `uname -m` =~ /(\w+)/;
syscall($prctl{$machine}, 36, 1) if $prctl{$machine}; # PR_SET_CHILD_SUBREAPER; without it stops are only slower

my $pid = fork() // die "cannot fork: $!\n";
if ($pid == 0) { exec { $program[0] } @program or die "cannot run $program[0]: $!\n" }
1 while wait() != -1;
