# Sourced by the tools beside it: one server in the background, by name and port, on 127.0.0.1.

tools=${XDG_CACHE_HOME:-$HOME/.cache}/waybill/tools

# serve NAME start|stop PORT COMMAND...: `start` returns once the server answers HTTP.
serve() {
  local name=$1 action=$2 port=$3
  shift 3
  local files=$tools/run/$name-$port
  mkdir -p "$tools/run"
  case $action in
    start) start "$@" ;;
    stop) stop ;;
    *) echo "usage: $0 start|stop [PORT]" >&2; exit 2 ;;
  esac
}

start() {
  ! is_running || { echo "$name is running already: http://127.0.0.1:$port"; return; }
  ! answers || { echo "something else listens on port $port" >&2; exit 1; }
  nohup "$@" </dev/null >"$files.log" 2>&1 &
  echo $! >"$files.pid"
  for _ in {1..150}; do
    ! answers || { echo "$name: http://127.0.0.1:$port (log: $files.log)"; return; }
    kill -0 $! 2>/dev/null || break
    sleep 0.2
  done
  echo "$name does not answer:" >&2
  cat "$files.log" >&2
  stop
  exit 1
}

stop() {
  ! is_running || kill "$(<"$files.pid")"
  while is_running; do sleep 0.1; done
  rm -f "$files.pid"
}

answers() { curl --silent --output /dev/null --noproxy '*' --max-time 1 "http://127.0.0.1:$port/"; }

# Known by the tools' folder in its command: another process may have got the number since.
is_running() { [[ -f $files.pid && "$(ps -ww -o args= -p "$(<"$files.pid")")" == *"$tools/"* ]]; }
