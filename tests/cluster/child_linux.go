package main

import "syscall"

// diesWithParent lets no child outlive a parent that was killed.
// The kernel ties a child to the thread that starts it: up() locks itself to the main thread and starts all of them.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
