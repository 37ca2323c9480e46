//go:build !linux

package main

import "syscall"

// diesWithParent can only keep signals of the terminal away from the child: there is no parent-death signal here.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
