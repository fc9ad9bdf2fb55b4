#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The system packages that `make` needs and this machine lacks:
#
#   scripts/setup_tests.sh venv PYTHON                  what making a virtual environment with PYTHON needs
#   scripts/setup_tests.sh tests PYTHON [ARGUMENT...]   what the tests need that pytest would run with these arguments
#
# Says what is missing, then installs it: with apt-get as root, or through sudo. Where that is not to be had it prints
# the command for this system and exits with 2. When nothing is missing it says and does nothing.
set -eo pipefail # no -u: the bash of macOS takes an empty array for an unset one

PATH=$PATH:/usr/sbin:/sbin # where Debian's daemons are, for everybody

mac_chromium=/Applications/Chromium.app/Contents/MacOS/Chromium

there() { command -v "$1" >/dev/null; }

lacks_libatomic() { there ldconfig && ! ldconfig -p | grep -F libatomic.so.1 >/dev/null; } # of playwright's Node.js

lacks() { # NEED: is there no program for it?
    case $1 in
        venv) ! "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
        git) ! there git ;;
        browser) ! { there chromium || there chromium-browser || there "$mac_chromium"; } || lacks_libatomic ;;
        slurm) ! { there slurmctld && there slurmd && there slurmdbd && there munged && there mariadbd; } ;;
        sshd) ! { there sshd && there ssh-keygen; } ;;
        debian) ! there mmdebstrap ;;
    esac
}

packages() { # NEED: what they are called here; nothing where there are none
    case $manager:$1 in
        apt-get:venv) "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])' ;;
        apt-get:browser) if grep -qx ID=ubuntu /etc/os-release; then echo chromium-browser libatomic1; else echo chromium libatomic1; fi ;;
        apt-get:slurm) echo slurm-wlm munge slurmdbd mariadb-server-core ;;
        apt-get:sshd) echo openssh-server openssh-client ;;
        apt-get:debian) echo mmdebstrap ;;
        dnf:sshd) echo openssh-server openssh-clients ;;
        pacman:sshd) echo openssh ;;
        dnf:slurm) echo slurm-slurmctld slurm-slurmd slurm-slurmdbd munge mariadb-server ;;
        brew:browser) echo --cask chromium ;;
        dnf:browser) echo chromium libatomic ;;
        pacman:browser) echo chromium ;; # its libatomic is a part of gcc-libs, which every system has
        dnf:venv | pacman:venv | brew:venv) echo python3 ;;
        ?*:git) echo git ;;
    esac
}

case $#:$1 in
    2:venv) missing=venv ;;
    [2-9]:tests | [1-9][0-9]*:tests) missing="git browser slurm sshd debian" ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
what=$1 python=$2
shift 2
# only slow tests need a Debian of their own, and few machines can make one
if [[ " $* " == *" --without-slow "* ]]; then missing=${missing% debian}; fi

missing=$(for need in $missing; do if lacks "$need"; then echo "$need"; fi; done | xargs)
if [[ $missing && $what == tests ]]; then # pytest knows which tests these are, and every test what it needs
    status=0
    needs=$("$python" -m pytest --collect-only --needs -q "$@") || status=$?
    ((status == 0)) || { echo "$needs" && exit "$status"; } >&2
    missing=$(for need in $missing; do if grep -qx "needs: $need" <<<"$needs"; then echo "$need"; fi; done | xargs)
fi
[[ $missing ]] || exit 0

manager=$(for one in apt-get dnf pacman brew; do if there "$one"; then echo "$one" && break; fi; done)
known=$(for need in $missing; do packages "$need"; done | xargs)
unknown=$(for need in $missing; do [[ $(packages "$need") ]] || echo "$need"; done | xargs)
as_root=
if ((EUID)); then as_root="sudo "; fi
case $manager in
    apt-get) install="${as_root}apt-get install --no-install-recommends" ;;
    dnf) install="${as_root}dnf install" ;;
    pacman) install="${as_root}pacman -S --needed" ;;
    *) install="$manager install" ;;
esac

echo "This machine lacks what is needed for: $missing"
if [[ $manager == apt-get && $known ]] &&
    { ! ((EUID)) || sudo -n true 2>/dev/null || { there sudo && [[ -t 0 ]]; }; }; then
    echo "Installing with ${as_root}apt-get: $known"
    # shellcheck disable=SC2086 # words, not one
    if ${as_root}apt-get update -qq && ${as_root}env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $known >/dev/null && [[ ! $unknown ]]; then
        exit 0
    fi
fi
{
    [[ ! $known ]] || echo "Install it, then run make again:  $install $known"
    [[ ! $unknown ]] || echo "No package of this system is known for: $unknown"
    if [[ $what == tests ]]; then
        rest=$(for need in $missing; do if [[ $need != git ]]; then printf ' and not %s' "$need"; fi; done)
        [[ ! $rest ]] || echo "Or leave those tests out:  make test ARGS=\"-m '${rest# and }'\""
    fi
} >&2
exit 2
