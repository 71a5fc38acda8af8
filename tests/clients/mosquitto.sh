#!/usr/bin/env bash
# mosquitto's own clients against a broker on 127.0.0.1:$MQTT_PORT: both versions, all QoS levels, wildcards, retained
# messages, a will, a session that survives, a shared subscription.
set -euo pipefail
out=$(mktemp -d)
trap 'jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$out"' EXIT
run=$$
checks=0

sub() { timeout 20 mosquitto_sub -h 127.0.0.1 -p "$MQTT_PORT" "$@"; }
pub() { timeout 20 mosquitto_pub -h 127.0.0.1 -p "$MQTT_PORT" "$@"; }
expect() { # what, expected, file
    if [ "$(cat "$3")" != "$2" ]; then
        printf 'not ok: %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$(cat "$3")"
        exit 1
    fi
    checks=$((checks + 1))
    echo "ok: $1"
}
# A subscriber in the background that is known to be subscribed: it also asks for a retained message that is there.
listen() { # file, arguments of mosquitto_sub
    local file=$1
    shift
    # Not the line of the listener before.
    rm -f "$file"
    sub -t "ready/$run" "$@" >"$file" &
    listener=$!
    until grep -q '^ready' "$file" 2>/dev/null; do sleep 0.05; done
}
heard() { # file: what came after the ready message
    wait "$listener" || true
    grep -v '^ready' "$1" >"$1.heard" || true
}

pub -t "ready/$run" -m ready -r

for version in mqttv311 mqttv5; do
    for qos in 0 1 2; do
        listen "$out/live" -V $version -q $qos -t "$version/$qos/factory/#" -v -C 4 -W 15
        pub -V $version -q $qos -t "$version/$qos/factory" -m parent
        pub -V $version -q $qos -t "$version/$qos/factory/line-1/temperature" -m 21.5
        pub -V $version -q $qos -t "$version/$qos/elsewhere" -m never
        pub -V $version -q $qos -t "$version/$qos/factory/line-2/temperature" -m 22.5
        heard "$out/live"
        expect "$version QoS $qos, live, wildcard" \
            "$version/$qos/factory parent
$version/$qos/factory/line-1/temperature 21.5
$version/$qos/factory/line-2/temperature 22.5" "$out/live.heard"

        pub -V $version -q $qos -r -t "$version/$qos/kept/a" -m first
        pub -V $version -q $qos -r -t "$version/$qos/kept/a" -m second
        pub -V $version -q $qos -r -t "$version/$qos/kept/b" -m gone
        pub -V $version -q $qos -r -t "$version/$qos/kept/b" -n
        sleep 0.1
        sub -V $version -q $qos -t "$version/$qos/kept/+" -F '%r %t %p' -W 1 >"$out/kept" 2>/dev/null || true
        expect "$version QoS $qos, retained" "1 $version/$qos/kept/a second" "$out/kept"
    done

    listen "$out/will" -V $version -t "$version/will" -v -C 2 -W 15
    # Not the line of the one before, or this one is killed before it is connected.
    rm -f "$out/doomed"
    mosquitto_sub -h 127.0.0.1 -p "$MQTT_PORT" -V $version -t "ready/$run" \
        --will-topic "$version/will" --will-payload died >"$out/doomed" &
    doomed=$!
    until grep -q '^ready' "$out/doomed" 2>/dev/null; do sleep 0.05; done
    kill -9 $doomed
    wait $doomed 2>/dev/null || true
    heard "$out/will"
    expect "$version, will" "$version/will died" "$out/will.heard"

    session=(-V $version -i "$run-$version" -c -q 1 -t "$version/away/#")
    [ $version = mqttv5 ] && session+=(-x 3600)
    sub "${session[@]}" -E
    for number in 1 2 3; do
        pub -V $version -q 1 -t "$version/away/a" -m "$number"
        pub -V $version -q 1 -t "$version/away/b" -m "$number"
    done
    sub "${session[@]}" -v -C 6 -W 15 >"$out/away"
    # MQTT orders the messages of a topic, not those of different topics [MQTT-4.6.0-5].
    sort --stable --key=1,1 "$out/away" >"$out/by-topic"
    expect "$version, messages that came while away" \
        "$version/away/a 1
$version/away/a 2
$version/away/a 3
$version/away/b 1
$version/away/b 2
$version/away/b 3" "$out/by-topic"

    # Two that share; each stops when nothing has come for a while.
    shared=(-V $version -q 1 -t "\$share/g/$version/shared/#")
    listen "$out/one" "${shared[@]}" -W 6
    one=$listener
    listen "$out/two" "${shared[@]}" -W 6
    seq 1000 | pub -V $version -q 1 -t "$version/shared/a" -l
    wait $one || true
    heard "$out/two"
    grep -v '^ready' "$out/one" >"$out/one.heard" || true
    sort -n "$out/one.heard" "$out/two.heard" >"$out/both"
    expect "$version, shared: each of a thousand to one of two" "$(seq 1000)" "$out/both"
    for share in one two; do
        [ "$(wc -l <"$out/$share.heard")" -gt 250 ] && echo fair || echo unfair
    done >"$out/fair"
    expect "$version, shared: fairly" "fair
fair" "$out/fair"
done
echo "mosquitto's clients: $checks checks passed"
