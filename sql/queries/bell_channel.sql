SELECT bell_channel() AS channel;
