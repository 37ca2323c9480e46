# Runs a command that ends when our stdin closes, which the kernel sees to when our parent dies, however it dies.
# Prints the command's process id, and ends with its exit status. The command's output goes to stderr.
exec 3<&0
"$@" </dev/null >&2 3<&- &
command=$!
echo "$command"
exec 1>&-
{ cat <&3 >/dev/null; kill -9 "$command"; } 2>/dev/null &
leash=$!
exec 3<&-
wait "$command"
status=$?
kill "$leash" 2>/dev/null
exit "$status"
